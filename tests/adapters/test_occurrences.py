"""Occurrences of schedules over moto: started once, skipped, queued, missed, run now and backfilled."""

import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from background_jobs import OrchestrationService, OrchestrationStatus
from background_jobs.aws import clients
from background_jobs.aws.stores import Stores
from background_jobs.core import ids
from background_jobs.core.errors import (
    InvalidBackfill,
)
from background_jobs.core.options import KickOffOptions
from background_jobs.core.schedules import overlap
from background_jobs.orchestration_service.kick_off import KickOffRequest, kick_off, prepare_kick_off
from background_jobs.orchestration_service.occurrences import OccurrenceRunner
from background_jobs.orchestration_service.schedules import Schedules
from background_jobs.settings import Settings
from tests.adapters.crash import Crash, CrashPoint
from tests.adapters.scheduling import Clock, delivered, hourly, states, stored, written

crash_when = pytest.mark.parametrize("when", ["before", "after"])


def test_an_occurrence_starts_one_orchestration_however_often_it_is_delivered(
    schedules: Schedules, service: OrchestrationService, settings: Settings, clock: Clock
) -> None:
    schedule = hourly(schedules, tags={"customer": "acme"}, overlap="allow")
    at = clock.move(hours=1)

    runs = [delivered(schedules, at + timedelta(seconds=seconds)) for seconds in (0, 0, 17)]

    (orchestration_id,) = {run.orchestration_id for run in runs}
    assert orchestration_id == ids.occurrence_id("hourly", at)
    assert states(schedule) == [(at.hour, "started")]
    summary = service.orchestration(orchestration_id).summary()
    assert summary.tags == {"customer": "acme", "schedule": "hourly", "scheduled_at": at.isoformat()}
    # the schedule's definition and run, the kick-off and its pointer; its params and shares; the schedule
    assert written(settings) == [4, 2, 1]


def test_an_occurrence_whose_id_another_service_took_is_skipped_with_the_reason(
    schedules: Schedules, stores: Stores, settings: Settings, clock: Clock
) -> None:
    hourly(schedules, overlap="allow")
    at = clock.move(hours=1)
    taken = KickOffRequest(
        job_name="halve", options=KickOffOptions(service="billing"), known_id=ids.occurrence_id("hourly", at)
    )
    kick_off(taken, [], stores, settings)
    assert "differs in: the service, which is 'billing'" in delivered(schedules, at).reason


def test_a_duplicate_that_comes_after_many_runs_starts_nothing_either(
    schedules: Schedules, clock: Clock, settings: Settings
) -> None:
    hourly(schedules, overlap="allow")
    first = clock.move(hours=1)
    for hour in range(12):
        delivered(schedules, first + timedelta(hours=hour))
    before = written(settings)
    delivered(schedules, first)
    assert written(settings) == before


@crash_when
def test_an_occurrence_is_started_once_wherever_its_delivery_stops(
    schedules: Schedules, stores: Stores, clock: Clock, when: str
) -> None:
    schedule = hourly(schedules, overlap="allow")
    crash, reached, nth = CrashPoint(when), True, 0
    while reached:
        nth += 1
        at = clock.move(hours=1)
        crash.arm(nth)
        with contextlib.suppress(Crash):
            delivered(schedules, at)
        reached = crash.disarm()
        started = delivered(schedules, at)
        assert stores.event_log.read_started(started.orchestration_id).total == 1
        assert len(schedule.runs()) == nth
    assert nth == 6  # two reads, two uploads and a transaction, and then none is left to stop at


def test_an_occurrence_is_skipped_with_the_reason_while_the_run_before_goes_on(
    schedules: Schedules, clock: Clock, complete: Callable[[str | None], None]
) -> None:
    schedule = hourly(schedules)
    first = delivered(schedules, clock.move(hours=1))
    second = delivered(schedules, clock.move(hours=1))
    assert second.reason == f"the run of {first.scheduled_at:%Y-%m-%d %H:%M} UTC was still in progress"
    complete(first.orchestration_id)
    delivered(schedules, clock.move(hours=1))
    hours = [(clock() - timedelta(hours=n)).hour for n in range(3)]
    assert states(schedule) == list(zip(hours, ["started", "skipped", "started"], strict=True))
    assert [run.status for run in schedule.runs()] == [
        OrchestrationStatus.IN_PROGRESS,
        None,
        OrchestrationStatus.COMPLETED,
    ]


def test_a_duplicate_of_what_was_skipped_starts_nothing_after_the_run_before_has_ended(
    schedules: Schedules, clock: Clock, complete: Callable[[str | None], None]
) -> None:
    schedule = hourly(schedules)
    first = delivered(schedules, clock.move(hours=1))
    skipped = delivered(schedules, clock.move(hours=1))
    complete(first.orchestration_id)
    assert delivered(schedules, clock()) == skipped
    assert [state for _, state in states(schedule)] == ["skipped", "started"]
    # but a forced run starts all the same
    (run,) = schedule.backfill(clock(), clock.move(minutes=1))
    assert run.state == "started"


def test_of_two_occurrences_at_once_one_sees_the_other(
    settings: Settings, stores: Stores, clock: Clock
) -> None:
    first, second = clock() + timedelta(hours=1), clock() + timedelta(hours=2)
    both: list[Schedules] = []

    def prepare(request: Any, params: Any) -> Any:
        # While the first is being prepared, the second is delivered, prepared and started.
        if not both:
            both.append(Schedules(settings, stores, clock))
            delivered(both[0], second)
        return prepare_kick_off(request, params, stores, settings)

    schedules = Schedules(settings, stores, clock, OccurrenceRunner(stores, prepare, clock))
    schedule = hourly(schedules)
    clock.move(hours=2)
    assert delivered(schedules, first).type == "OccurrenceSkipped"
    assert states(schedule) == [(second.hour, "started"), (first.hour, "skipped")]


def test_what_is_queued_runs_in_order_one_after_the_other(
    schedules: Schedules, clock: Clock, complete: Callable[[str | None], None]
) -> None:
    schedule = hourly(schedules, overlap="queue")
    hours = [clock.move(hours=1) for _ in range(3)]
    runs = [delivered(schedules, at) for at in hours]
    assert [run.type for run in runs] == ["OccurrenceStarted", "OccurrenceQueued", "OccurrenceQueued"]
    delivered(schedules, hours[1])  # twice is once
    assert [state for _, state in states(schedule)] == ["queued", "queued", "started"]
    assert schedules.occurrence_runner.start_waiting("hourly") is None  # the first is still in progress

    started = runs[0]
    for at in hours[1:]:
        complete(started.orchestration_id)
        started = schedules.occurrence_runner.start_waiting("hourly")
        assert started is not None
        assert started.scheduled_at == at
        assert (
            schedules.occurrence_runner.start_waiting("hourly") is None
        )  # hearing of it twice starts no more
    complete(started.orchestration_id)
    assert schedules.occurrence_runner.start_waiting("hourly") is None
    assert [state for _, state in states(schedule)] == ["started"] * 3


def test_what_is_queued_just_as_the_run_before_ends_is_started_all_the_same(
    schedules: Schedules,
    stores: Stores,
    clock: Clock,
    complete: Callable[[str | None], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hourly(schedules, overlap="queue")
    first = delivered(schedules, clock.move(hours=1))
    append = stores.schedule_log.append

    def late(event: Any) -> None:
        # The run ends, and its completion is handled, before the next occurrence is in the queue.
        complete(first.orchestration_id)
        assert schedules.occurrence_runner.start_waiting("hourly") is None
        append(event)

    monkeypatch.setattr(stores.schedule_log, "append", late)
    assert delivered(schedules, clock.move(hours=1)).type == "OccurrenceStarted"


def test_a_queue_has_an_end(
    schedules: Schedules,
    clock: Clock,
    aggregate: Callable[[], list[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(overlap, "LONGEST_QUEUE", 3)
    schedule = hourly(schedules, overlap="queue")
    delivered(schedules, clock.move(hours=1))
    assert aggregate() == []
    for _ in range(4):
        delivered(schedules, clock.move(hours=1))
    (latest,) = schedule.runs(limit=1)
    assert (latest.state, latest.reason) == ("skipped", "3 occurrences were waiting already")


def test_what_did_not_come_is_missed_unless_the_schedule_was_paused(
    schedules: Schedules, clock: Clock
) -> None:
    schedule = hourly(schedules, overlap="allow")
    first = clock.move(hours=1)
    delivered(schedules, first)
    clock.move(hours=1, minutes=30)
    schedule.pause()
    assert (schedules.find("hourly").state, schedule.next_runs()) == ("paused", [])
    clock.move(hours=3)
    schedule.resume()
    schedule.resume()  # twice is harmless
    clock.move(minutes=31)
    # An occurrence that is due just now may still arrive.
    assert states(schedule) == [((first + timedelta(hours=1)).hour, "missed"), (first.hour, "started")]
    clock.move(minutes=5)
    assert states(schedule)[0] == ((first + timedelta(hours=5)).hour, "missed")
    assert schedule.runs(limit=1)[0].state == "missed"


def test_a_paused_schedule_still_tells_its_last_runs_however_long_ago_they_were(
    schedules: Schedules, clock: Clock
) -> None:
    # given a schedule that ran and skipped, and was then paused for longer than its last two due times
    schedule = hourly(schedules)
    ran, skipped = clock.move(hours=1), clock.move(hours=1)
    delivered(schedules, ran)
    delivered(schedules, skipped)
    schedule.pause()
    clock.move(days=7)
    # then its last records are those from before the pause
    assert [(run.scheduled_at, str(run.state)) for run in schedule.runs(limit=2)] == [
        (skipped, "skipped"),
        (ran, "started"),
    ]


def test_the_last_runs_are_those_that_were_due_last_and_not_those_that_a_backfill_started_last(
    schedules: Schedules, clock: Clock
) -> None:
    # given a run, and a backfill of three hours before the schedule was made
    schedule = hourly(schedules, overlap="allow")
    made = clock()
    ran = clock.move(hours=1)
    delivered(schedules, ran)
    schedule.backfill(made - timedelta(hours=3), made)
    schedule.pause()
    clock.move(days=1)
    # then the run comes before them
    assert [run.scheduled_at for run in schedule.runs(limit=2)] == [ran, made - timedelta(hours=1)]


def test_a_definition_that_was_changed_elsewhere_counts_from_then_on(
    schedules: Schedules, clock: Clock
) -> None:
    schedule = hourly(schedules)
    clock.move(hours=1)
    delivered(schedules, clock())
    resource = stored()
    changed = resource["Target"]["Input"].replace("0 * * * ? *", "30 * * * ? *")
    for name in ("Arn", "CreationDate", "LastModificationDate", "ResponseMetadata", "KmsKeyArn"):
        resource.pop(name, None)
    resource["Target"]["Input"] = changed
    resource["ScheduleExpression"] = "cron(30 * * * ? *)"
    clients.scheduler().update_schedule(**resource)
    clock.move(hours=2)
    runs = schedules.find("hourly").runs()
    assert {(run.scheduled_at.minute, str(run.state)) for run in runs} == {(0, "started"), (30, "missed")}
    assert schedule.name == "hourly"


def test_running_now_honours_the_overlap_unless_it_is_forced(schedules: Schedules, clock: Clock) -> None:
    schedule = hourly(schedules)
    first = schedule.run_now()
    assert (first.state, first.status, first.scheduled_at) == (
        "started",
        OrchestrationStatus.IN_PROGRESS,
        clock(),
    )
    clock.move(seconds=1)
    assert schedule.run_now().state == "skipped"
    clock.move(seconds=1)
    forced = schedule.run_now(force=True)
    assert forced.state == "started"
    assert forced.orchestration_id != first.orchestration_id


def test_a_backfill_runs_what_did_not_run_in_order(
    schedules: Schedules, clock: Clock, complete: Callable[[str | None], None]
) -> None:
    first = clock() - timedelta(hours=3)  # before the schedule was made
    schedule = hourly(schedules, overlap="allow")
    ran = delivered(schedules, clock.move(hours=1))
    clock.move(hours=2)

    came = schedule.backfill(first, clock())

    hours = [first + timedelta(hours=n) for n in range(6)]
    assert ran.scheduled_at == hours[4]
    assert [(run.scheduled_at, str(run.state)) for run in came] == [
        (at, "started") for at in hours if at != ran.scheduled_at
    ]
    assert schedule.backfill(first, clock()) == []


def test_a_backfill_honours_the_overlap_or_another_that_is_given(schedules: Schedules, clock: Clock) -> None:
    schedule = hourly(schedules)
    start = clock()
    clock.move(hours=3)
    assert [run.state for run in schedule.backfill(start, clock())] == ["started", "skipped", "skipped"]
    queued = schedule.backfill(start, clock(), overlap="queue")
    assert [run.state for run in queued] == ["queued", "queued"]
    assert [state for _, state in states(schedule)] == ["queued", "queued", "started"]


@pytest.mark.parametrize(
    ("hours", "message"),
    [((0, 0), "no span of the past"), ((-1, 1), "no span of the past"), ((-24 * 91, 0), "more than 90 days")],
)
def test_a_backfill_that_cannot_be_is_refused(
    schedules: Schedules, clock: Clock, settings: Settings, hours: tuple[int, int], message: str
) -> None:
    schedule = hourly(schedules)
    before = written(settings)
    first, last = (clock() + timedelta(hours=n) for n in hours)
    with pytest.raises(InvalidBackfill, match=message):
        schedule.backfill(first, last)
    with pytest.raises(InvalidBackfill, match="need a time zone"):
        schedule.backfill(first.replace(tzinfo=None), last)
    with pytest.raises(InvalidBackfill, match="more than 1,000"):
        schedule.backfill(clock() - timedelta(days=50), clock())
    assert written(settings) == before
