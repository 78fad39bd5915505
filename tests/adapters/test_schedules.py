"""Schedules over moto: what is written, what becomes of each occurrence, and what is refused."""

import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from background_jobs import OrchestrationService, Status, job_name
from background_jobs.aws import clients
from background_jobs.aws.rooms import Rooms
from background_jobs.control_plane.stream import handle_records
from background_jobs.core import ids
from background_jobs.core.errors import (
    BackgroundJobsError,
    InvalidBackfill,
    InvalidParams,
    InvalidSchedule,
    MissingSettings,
    ScheduleDeclared,
    ScheduleEnded,
    ScheduleNotFound,
    UnknownJobName,
)
from background_jobs.core.overlap import LONGEST_QUEUE
from background_jobs.core.schedules import Due, definition_in
from background_jobs.orchestration_service.schedule import Schedule
from background_jobs.orchestration_service.schedules import Schedules
from background_jobs.settings import Settings
from tests.adapters.test_crash_points import Crash, CrashPoint

crash_when = pytest.mark.parametrize("when", ["before", "after"])


class Clock:
    """A clock that stands still until it is moved; ahead of the real one, so that nothing has passed."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=2)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **span: float) -> datetime:
        self.now += timedelta(**span)
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def schedules(settings: Settings, rooms: Rooms, service: OrchestrationService, clock: Clock) -> Schedules:
    return Schedules(settings, rooms, service._prepared, clock)


@pytest.fixture
def complete(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], list[Any]]
) -> Callable[[str | None], None]:
    """Run an orchestration to its end; the schedule has not heard of it yet."""

    def complete(orchestration_id: str | None) -> None:
        assert orchestration_id is not None
        launch(service.orchestration(orchestration_id))
        for _ in ("the outcomes", "the completion"):
            assert aggregate() == []

    return complete


def hourly(schedules: Schedules, **options: Any) -> Schedule:
    every_hour: Any = {"cron": "0 * * * *"} | options
    return schedules.define("hourly", "halve", [{"n": 2}], every_hour)


def stored() -> dict[str, Any]:
    (schedule,) = clients.scheduler().list_schedules()["Schedules"]
    return dict(clients.scheduler().get_schedule(Name=schedule["Name"], GroupName=schedule["GroupName"]))


def delivered(schedules: Schedules, at: datetime) -> Any:
    """Deliver an occurrence as Scheduler does: by the input that was stored with it."""
    told = stored()["Target"]["Input"].replace("<aws.scheduler.scheduled-time>", f"{at:%Y-%m-%dT%H:%M:%SZ}")
    return schedules.firing.due(Due.model_validate_json(told))


def states(schedule: Schedule) -> list[tuple[int, str]]:
    """The hours and states of the runs, newest first."""
    return [(run.scheduled_at.hour, str(run.state)) for run in schedule.runs()]


def written(settings: Settings) -> list[int]:
    """How many events, payloads and schedules there are."""
    return [
        clients.dynamodb().scan(TableName=settings.event_log_table)["Count"],
        clients.s3().list_objects_v2(Bucket=settings.payload_bucket)["KeyCount"],
        len(clients.scheduler().list_schedules()["Schedules"]),
    ]


def test_a_schedule_is_one_resource_and_one_event_and_travels_with_its_params(
    schedules: Schedules, settings: Settings, clock: Clock
) -> None:
    schedule = schedules.define(
        "nightly-report",
        "halve",
        [{"n": 2}, {"n": "<b>"}],
        {
            "cron": "30 3 * * mon-fri",
            "timezone": "Europe/Berlin",
            "overlap": "queue",
            "jitter": timedelta(minutes=5),
            "end": clock() + timedelta(days=30),
        },
    )
    assert written(settings) == [1, 0, 1]
    resource = stored()
    assert resource["GroupName"] == "background-jobs-test"
    assert resource["ScheduleExpression"] == "cron(30 3 ? * MON-FRI *)"
    assert resource["ScheduleExpressionTimezone"] == "Europe/Berlin"
    assert resource["FlexibleTimeWindow"] == {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}
    assert (resource["State"], resource["ActionAfterCompletion"]) == ("ENABLED", "DELETE")
    assert resource["EndDate"] == clock() + timedelta(days=30)
    target = resource["Target"]
    assert (target["Arn"], target["RoleArn"]) == (settings.schedule_function, settings.schedule_role)
    assert target["DeadLetterConfig"] == {"Arn": settings.schedule_failures}
    assert definition_in(target["Input"]) == schedule.definition
    assert schedule.definition.params == ({"n": 2}, {"n": "<b>"})
    # Only the time of the occurrence is Scheduler's to fill in.
    assert target["Input"].count("<") == 1
    again = schedules.named("nightly-report")
    assert (again.definition, again.state) == (schedule.definition, "active")
    assert [one.name for one in schedules.all()] == ["nightly-report"]
    assert [at.strftime("%H:%M %Z") for at in schedule.next_runs(2)] == ["03:30 CET"] * 2


def test_large_params_are_uploaded_once_and_go_with_the_schedule(
    schedules: Schedules, settings: Settings, service: OrchestrationService, clock: Clock
) -> None:
    def objects() -> list[str]:
        listed = clients.s3().list_objects_v2(Bucket=settings.payload_bucket, Prefix="schedules/")
        return [one["Key"] for one in listed.get("Contents", [])]

    large = [{"n": 2, "text": "x" * 1_000, "number": n} for n in range(50)]
    schedules.define("large", "halve", large, {"cron": "0 * * * *"})
    (first,) = objects()
    started = delivered(schedules, clock())
    assert service.orchestration(started.orchestration_id).summary().total == 50

    clock.move(minutes=1)
    schedule = schedules.define("large", "halve", large[:40], {"cron": "0 * * * *"})
    (second,) = objects()
    assert second != first
    clock.move(minutes=1)
    schedule.delete()
    assert objects() == []


def test_made_anew_a_schedule_stays_paused_and_an_interval_keeps_its_beat(
    schedules: Schedules, clock: Clock
) -> None:
    every = timedelta(minutes=45)
    schedule = schedules.define("beat", "halve", [{"n": 2}], {"every": every})
    first = schedule.next_runs(1)
    clock.move(minutes=5)
    schedule.pause()
    clock.move(minutes=5)
    again = schedules.define("beat", "halve", [{"n": 4}], {"every": every, "start": None})
    assert (again.state, again.next_runs()) == ("paused", [])
    assert stored()["State"] == "DISABLED"
    clock.move(minutes=60)
    again.resume()
    # Scheduler refuses a start that has passed: the next beat is given.
    assert stored()["StartDate"] == again.next_runs(1)[0] == first[0] + every
    clock.move(minutes=1)
    changed = schedules.define("beat", "halve", [{"n": 4}], {"every": timedelta(minutes=7)})
    assert changed.next_runs(1) == [clock() + timedelta(minutes=7)]


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
    # the schedule's definition and run, the kick-off; its params and shares; the schedule
    assert written(settings) == [3, 2, 1]


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
    schedules: Schedules, rooms: Rooms, clock: Clock, when: str
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
        assert rooms.event_log.started(started.orchestration_id).total == 1
        assert len(schedule.runs()) == nth
    assert nth == 5  # a query, two uploads and a transaction, and then none is left to stop at


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
    assert [run.status for run in schedule.runs()] == [Status.IN_PROGRESS, None, Status.COMPLETED]


def test_of_two_occurrences_at_once_one_sees_the_other(
    settings: Settings, rooms: Rooms, service: OrchestrationService, clock: Clock
) -> None:
    first, second = clock() + timedelta(hours=1), clock() + timedelta(hours=2)
    both: list[Schedules] = []

    def prepare(*args: Any, **options: Any) -> Any:
        # While the first is being prepared, the second is delivered, prepared and started.
        if not both:
            both.append(Schedules(settings, rooms, service._prepared, clock))
            delivered(both[0], second)
        return service._prepared(*args, **options)

    schedules = Schedules(settings, rooms, prepare, clock)
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
    assert schedules.firing.run_completed("hourly") is None  # the first is still in progress

    started = runs[0]
    for at in hours[1:]:
        complete(started.orchestration_id)
        started = schedules.firing.run_completed("hourly")
        assert started is not None
        assert started.scheduled_at == at
        assert schedules.firing.run_completed("hourly") is None  # hearing of it twice starts no more
    complete(started.orchestration_id)
    assert schedules.firing.run_completed("hourly") is None
    assert [state for _, state in states(schedule)] == ["started"] * 3


def test_what_is_queued_just_as_the_run_before_ends_is_started_all_the_same(
    schedules: Schedules,
    rooms: Rooms,
    clock: Clock,
    complete: Callable[[str | None], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hourly(schedules, overlap="queue")
    first = delivered(schedules, clock.move(hours=1))
    append = rooms.schedule_log.append

    def late(event: Any) -> None:
        # The run ends, and the schedule hears of it, before its successor is in the queue.
        complete(first.orchestration_id)
        assert schedules.firing.run_completed("hourly") is None
        append(event)

    monkeypatch.setattr(rooms.schedule_log, "append", late)
    assert delivered(schedules, clock.move(hours=1)).type == "OccurrenceStarted"


def test_a_queue_has_an_end(schedules: Schedules, clock: Clock, aggregate: Callable[[], list[Any]]) -> None:
    schedule = hourly(schedules, overlap="queue")
    delivered(schedules, clock.move(hours=1))
    assert aggregate() == []
    for _ in range(LONGEST_QUEUE + 1):
        delivered(schedules, clock.move(hours=1))
    (latest,) = schedule.runs(limit=1)
    assert (latest.state, latest.reason) == ("skipped", "100 occurrences were waiting already")


def test_what_did_not_come_is_missed_unless_the_schedule_was_paused(
    schedules: Schedules, clock: Clock
) -> None:
    schedule = hourly(schedules, overlap="allow")
    first = clock.move(hours=1)
    delivered(schedules, first)
    clock.move(hours=1, minutes=30)
    schedule.pause()
    assert (schedules.named("hourly").state, schedule.next_runs()) == ("paused", [])
    clock.move(hours=3)
    schedule.resume()
    schedule.resume()  # twice is harmless
    clock.move(minutes=31)
    # What is due just now may still come.
    assert states(schedule) == [((first + timedelta(hours=1)).hour, "missed"), (first.hour, "started")]
    clock.move(minutes=5)
    assert states(schedule)[0] == ((first + timedelta(hours=5)).hour, "missed")
    assert schedule.runs(limit=1)[0].state == "missed"


def test_a_definition_that_was_changed_elsewhere_counts_from_then_on(
    schedules: Schedules, clock: Clock
) -> None:
    schedule = hourly(schedules)
    clock.move(hours=1)
    delivered(schedules, clock())
    resource = stored()
    told = resource["Target"]["Input"].replace("0 * * * ? *", "30 * * * ? *")
    for name in ("Arn", "CreationDate", "LastModificationDate", "ResponseMetadata", "KmsKeyArn"):
        resource.pop(name, None)
    resource["Target"]["Input"] = told
    resource["ScheduleExpression"] = "cron(30 * * * ? *)"
    clients.scheduler().update_schedule(**resource)
    clock.move(hours=2)
    runs = schedules.named("hourly").runs()
    assert {(run.scheduled_at.minute, str(run.state)) for run in runs} == {(0, "started"), (30, "missed")}
    assert schedule.name == "hourly"


def test_running_now_honours_the_overlap_unless_it_is_forced(schedules: Schedules, clock: Clock) -> None:
    schedule = hourly(schedules)
    first = schedule.run_now()
    assert (first.state, first.status, first.scheduled_at) == ("started", Status.IN_PROGRESS, clock())
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
    ("hours", "said"),
    [((0, 0), "no span of the past"), ((-1, 1), "no span of the past"), ((-24 * 91, 0), "more than 90 days")],
)
def test_a_backfill_that_cannot_be_is_refused(
    schedules: Schedules, clock: Clock, settings: Settings, hours: tuple[int, int], said: str
) -> None:
    schedule = hourly(schedules)
    before = written(settings)
    first, last = (clock() + timedelta(hours=n) for n in hours)
    with pytest.raises(InvalidBackfill, match=said):
        schedule.backfill(first, last)
    with pytest.raises(InvalidBackfill, match="need a time zone"):
        schedule.backfill(first.replace(tzinfo=None), last)
    with pytest.raises(InvalidBackfill, match="more than 1,000"):
        schedule.backfill(clock() - timedelta(days=50), clock())
    assert written(settings) == before


def test_deleting_empties_the_queue_and_keeps_the_history(
    schedules: Schedules, clock: Clock, complete: Callable[[str | None], None]
) -> None:
    schedule = hourly(schedules, overlap="queue")
    first = delivered(schedules, clock.move(hours=1))
    delivered(schedules, clock.move(hours=1))
    clock.move(minutes=1)
    schedule.delete()
    schedule.delete()  # twice is harmless
    assert schedules.all() == []

    gone = schedules.named("hourly")
    assert (gone.state, gone.next_runs()) == ("over", [])
    assert [(run.state, run.reason) for run in gone.runs()] == [
        ("skipped", "the schedule was deleted before its turn"),
        ("started", ""),
    ]
    for call in (gone.pause, gone.resume, gone.run_now):
        with pytest.raises(ScheduleEnded, match="schedule the job again"):
            call()
    with pytest.raises(ScheduleEnded):
        gone.backfill(clock() - timedelta(hours=2), clock())
    complete(first.orchestration_id)
    assert schedules.firing.run_completed("hourly") is None


def test_once_is_over_when_it_has_run_and_leaves_no_params(
    schedules: Schedules, settings: Settings, clock: Clock
) -> None:
    at = clock() + timedelta(hours=1)
    params = [{"n": 2, "text": "x" * 50_000}]
    schedules.define("once", "halve", params, {"at": at})
    assert stored()["ScheduleExpression"] == f"at({at:%Y-%m-%dT%H:%M:%S})"
    clock.move(hours=1)
    run = delivered(schedules, at)
    assert delivered(schedules, at).orchestration_id == run.orchestration_id
    clients.scheduler().delete_schedule(Name="once", GroupName="background-jobs-test")  # as Scheduler does
    schedule = schedules.named("once")
    assert (schedule.state, [str(one.state) for one in schedule.runs()]) == ("over", ["started"])
    listed = clients.s3().list_objects_v2(Bucket=settings.payload_bucket, Prefix="schedules/")
    assert listed["KeyCount"] == 0


def test_params_that_are_gone_are_said_to_be(schedules: Schedules, clock: Clock, settings: Settings) -> None:
    schedule = schedules.define("large", "halve", [{"text": "x" * 50_000}], {"cron": "0 * * * *"})
    clients.s3().delete_object(Bucket=settings.payload_bucket, Key=schedule.definition.params_key)
    assert "its params are gone" in delivered(schedules, clock.move(hours=1)).reason


def test_a_schedule_that_the_stack_declares_is_changed_there(schedules: Schedules, clock: Clock) -> None:
    hourly(schedules)
    resource = stored()
    for name in ("Arn", "CreationDate", "LastModificationDate", "ResponseMetadata", "KmsKeyArn"):
        resource.pop(name, None)
    resource["Target"]["Input"] = (
        resource["Target"]["Input"]
        .replace("{", '{"declared":true,', 2)
        .replace('{"declared":true,"definition"', '{"definition"')
    )
    clients.scheduler().update_schedule(**resource)
    schedule = schedules.named("hourly")
    for change in (schedule.delete, lambda: hourly(schedules)):
        with pytest.raises(ScheduleDeclared, match="declared in the stack"):
            change()
    clock.move(minutes=1)
    schedule.pause()
    assert schedules.named("hourly").state == "paused"


def test_the_stream_of_orchestrations_passes_the_histories_of_schedules_by(
    schedules: Schedules, settings: Settings, clock: Clock
) -> None:
    hourly(schedules)
    delivered(schedules, clock())
    items = clients.dynamodb().scan(TableName=settings.event_log_table)["Items"]
    records = [
        {"eventName": "INSERT", "dynamodb": {"SequenceNumber": str(number), "NewImage": item}}
        for number, item in enumerate(items)
    ]
    seen: list[str] = []
    assert handle_records(records, lambda one, _: seen.append(one)) == {"batchItemFailures": []}
    assert seen == [ids.occurrence_id("hourly", clock())]


class Params(BaseModel):
    n: int


@job_name("halve")
def halve(params: Params) -> int:
    return params.n // 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cron": "61 * * * *"}, "'61' is no minute"),
        ({"cron": "0 3 1 * MON"}, "make a schedule for each of them"),
        ({"timezone": "Europe/Bonn"}, "no time zone 'Europe/Bonn'"),
        ({"cron": "0 0 30 2 *"}, "is not due any more"),
        ({"cron": "0 3 * * ? 2020"}, "is not due any more"),
        ({"cron": None}, "exactly one of cron, every and at"),
        ({"every": timedelta(hours=1)}, "exactly one of cron, every and at"),
        ({"cron": None, "every": timedelta(seconds=30)}, "from 1 minute to 366 days"),
        ({"cron": None, "at": datetime(2027, 1, 1)}, "needs a time zone"),  # noqa: DTZ001 -- the point
        ({"cron": None, "at": datetime(2025, 1, 1, tzinfo=UTC)}, "has passed"),
        ({"end": datetime(2025, 1, 1, tzinfo=UTC)}, "is not due between"),
        ({"start": datetime(2031, 1, 2, tzinfo=UTC), "end": datetime(2031, 1, 1, tzinfo=UTC)}, "is empty"),
        ({"jitter": timedelta(days=2)}, "up to a day"),
        ({"jitter": timedelta(seconds=5)}, "whole minutes"),
        ({"overlap": "maybe"}, "overlap='maybe': Input should be 'skip', 'queue' or 'allow'"),
        ({"tags": {"schedule": "mine"}}, "the tag 'schedule' is set by the schedule itself"),
        ({"tags": {"customer": 7}}, "str to str"),
        ({"parallelism": 101}, "from 1 to 100"),
        ({"timeout": -1}, "more than 0, and up to 7 days"),
        ({"name": "nightly report"}, "name='nightly report'"),
        ({"name": "x" * 65}, "name="),
        ({"params": []}, "there are no params"),
        ({"params": [7]}, "index 0 were refused"),
        ({"job": "havle"}, "no job named 'havle'"),
        ({"job": halve, "params": [{"n": "many"}]}, "valid integer"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(
    settings: Settings, change: dict[str, Any], said: str
) -> None:
    service = OrchestrationService(settings.model_copy(update={"job_names": ("halve",)}))
    options: dict[str, Any] = {"name": "nightly", "job": "halve", "params": [{"n": 2}], "cron": "0 3 * * *"}
    options |= change
    with pytest.raises((InvalidSchedule, InvalidParams, UnknownJobName, BackgroundJobsError), match=said):
        service.schedule_job(**options)
    assert written(settings) == [0, 0, 0]


def test_what_scheduler_itself_refuses_is_told_as_such(
    schedules: Schedules, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = clients.scheduler()

    def refuse(**_: Any) -> None:
        error: Any = {"Error": {"Code": "ValidationException", "Message": "No such hour."}}
        raise client.exceptions.ValidationException(error, "CreateSchedule")

    monkeypatch.setattr(client, "create_schedule", refuse)
    with pytest.raises(InvalidSchedule, match="nothing was written: No such hour"):
        schedules.define("large", "halve", [{"text": "x" * 50_000}], {"cron": "0 * * * *"})
    assert written(settings) == [0, 0, 0]


def test_making_schedules_takes_settings_that_name_whom_to_invoke(settings: Settings) -> None:
    bare = settings.model_copy(update={"schedule_role": "", "schedule_function": ""})
    with pytest.raises(MissingSettings, match="SCHEDULE_FUNCTION, BACKGROUND_JOBS_SCHEDULE_ROLE"):
        OrchestrationService(bare).schedule_job("nightly", "halve", [{"n": 2}], cron="0 3 * * *")


@pytest.mark.parametrize("name", ["nightly", "not a name", ""])
def test_a_name_that_does_not_exist_is_answered_kindly(schedules: Schedules, name: str) -> None:
    with pytest.raises(ScheduleNotFound, match="schedule list"):
        schedules.named(name)


def test_other_peoples_schedules_in_the_group_are_left_alone(schedules: Schedules) -> None:
    clients.scheduler().create_schedule(
        Name="other",
        GroupName="background-jobs-test",
        ScheduleExpression="rate(1 hour)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": "arn:aws:sqs:eu-central-1:123456789012:q", "RoleArn": "r", "Input": json.dumps({})},
    )
    hourly(schedules)
    assert [one.name for one in schedules.all()] == ["hourly"]
