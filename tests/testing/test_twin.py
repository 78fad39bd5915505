"""The twin of the service: virtual time, and what is started by the clock."""

import asyncio
import importlib
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest

import background_jobs
from background_jobs import (
    JobCompletedEvent,
    JobContext,
    OrchestrationService,
    OrchestrationStatus,
    Retry,
    RunState,
    Stage,
    UnknownJobName,
    aio,
    job_name,
)
from background_jobs.aws import clients
from background_jobs.testing import BackgroundJobs, TwinIsNotOpen, time_functions, time_patches, virtual_time
from tests.testing.jobs import Numbers, Total, double, echo, fussy, sleepy

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@job_name("patient", retry=Retry(max_attempts=3, base_seconds=3_600))
def patient(params: dict[str, int], job: JobContext) -> int:
    if job.attempt < 3:
        raise OSError("not yet")
    return job.attempt


@job_name("polling")
def polling(params: dict[str, float], job: JobContext) -> float:
    """Wait as jobs do that have a deadline of their own."""
    begun = time.monotonic()
    while time.monotonic() < begun + params["seconds"]:
        time.sleep(1)
    return time.monotonic() - begun


@job_name("cooperative")
def cooperative(params: dict[str, int], job: JobContext) -> str:
    seen.append("began")
    while not job.cancelled():
        time.sleep(1)
    seen.append("saw it")
    return "stopped"


@job_name("reporting")
def reporting(params: dict[str, int], job: JobContext) -> None:
    job.progress(50, "half")
    time.sleep(60)


@job_name("parent")
def parent(params: dict[str, int]) -> int:
    """Kick off another orchestration, and wait for it."""
    (success,) = OrchestrationService().kick_off_job("double", [params]).results().successes
    return int(success.result)


@job_name("gathering")
async def gathering(params: dict[str, int]) -> list[Any]:
    async def wait(seconds: int) -> int:
        await asyncio.sleep(seconds)
        return seconds

    in_thread = await asyncio.to_thread(threading.get_ident)
    return [*await asyncio.gather(wait(300), wait(600)), in_thread != threading.get_ident()]


seen: list[str] = []


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    seen.clear()


def test_backoff_takes_virtual_time_alone() -> None:
    with BackgroundJobs([patient], start=NOON) as jobs:
        orchestration = jobs.service.kick_off_job(patient, [{}])

        (success,) = orchestration.results().successes

        assert success.result == 3
        first, second = [
            event for event in orchestration.instance(0).events if event.type == "JobAttemptFailed"
        ]
        assert first.retry_at is not None
        assert second.at >= first.retry_at
        assert jobs.clock.now() >= second.at


def test_containers_sleep_at_the_same_time() -> None:
    with BackgroundJobs([sleepy], start=NOON) as jobs:
        params = [{"seconds": 600}] * 3

        together = jobs.service.kick_off_job(sleepy, params, timeout=700).results()
        one_by_one = jobs.service.kick_off_job(sleepy, params, timeout=700, parallelism=1).results()

        assert together.failures is None
        assert [success.index for success in one_by_one.successes] == [0]


def test_a_job_sees_virtual_time_pass() -> None:
    with BackgroundJobs([polling], start=NOON) as jobs:
        (success,) = jobs.service.kick_off_job(polling, [{"seconds": 90}]).results().successes

        assert 90 <= success.result < 92
        assert jobs.clock.now() - NOON >= timedelta(seconds=90)


def test_whoever_polls_gets_on() -> None:
    with BackgroundJobs([sleepy]) as jobs:
        orchestration = jobs.service.kick_off_job(sleepy, [{"seconds": 5}])

        statuses = [orchestration.view().status]
        while not orchestration.done():
            statuses.append(orchestration.view().status)

        assert statuses[0] == OrchestrationStatus.IN_PROGRESS
        assert orchestration.view().status == OrchestrationStatus.COMPLETED


def test_a_caller_that_sleeps_waits_for_nothing_real() -> None:
    with BackgroundJobs([sleepy], start=NOON) as jobs:
        orchestration = jobs.service.kick_off_job(sleepy, [{"seconds": 3_600}])

        time.sleep(4_000)

        assert timedelta() <= jobs.clock.now() - NOON - timedelta(seconds=4_000) < timedelta(seconds=1)
        assert orchestration.done()


def test_a_wait_may_time_out() -> None:
    with BackgroundJobs([sleepy]) as jobs:
        orchestration = jobs.service.kick_off_job(sleepy, [{"seconds": 3_600}])

        with pytest.raises(TimeoutError, match="0 of 1 instances"):
            orchestration.results(timeout=60)

        assert orchestration.results(timeout=3_600).failures is None


def test_what_is_watched_shows_progress_and_states() -> None:
    with BackgroundJobs([reporting]) as jobs:
        updates = list(jobs.service.kick_off_job(reporting, [{}]).watch())

        assert [advance.percent for update in updates for advance in update.advances] == [50]
        assert [update.summary.running for update in updates][-1] == 0
        assert 1 in [update.summary.running for update in updates]


def test_a_job_sees_that_it_was_cancelled() -> None:
    with BackgroundJobs([cooperative]) as jobs:
        orchestration = jobs.service.kick_off_job(cooperative, [{}])
        jobs.clock.advance(10)

        orchestration.cancel("enough")
        _, failures = orchestration.results()
        jobs.run_until_idle()

        assert failures is not None
        assert failures[0].error.type == "Cancelled"
        assert seen == ["began", "saw it"]


def test_a_job_that_does_not_look_is_killed_in_the_end() -> None:
    with BackgroundJobs([sleepy]) as jobs:
        orchestration = jobs.service.kick_off_job(sleepy, [{"seconds": 86_400}])
        jobs.clock.advance(10)
        orchestration.cancel()
        cancelled_at = jobs.clock.now()

        jobs.run_until_idle()

        assert jobs.clock.now() - cancelled_at < timedelta(minutes=5)
        assert jobs.completed_events[0].outcome == "Cancelled"


def test_a_job_may_kick_off_another_and_wait() -> None:
    with BackgroundJobs([parent, double]) as jobs:
        (success,) = jobs.service.kick_off_job(parent, [{"n": 21}]).results().successes

        assert success.result == 42


def test_coroutines_sleep_at_the_same_time_and_have_threads() -> None:
    with BackgroundJobs([gathering], start=NOON) as jobs:
        (success,) = jobs.service.kick_off_job(gathering, [{}]).results().successes

        assert success.result == [300, 600, True]
        assert timedelta(seconds=600) <= jobs.clock.now() - NOON < timedelta(seconds=700)


@job_name("awaits", timeout=5)
async def awaits(params: dict[str, bool]) -> float:
    """Await what comes from a thread after a while, or else never."""
    began, event, loop = time.monotonic(), asyncio.Event(), asyncio.get_running_loop()
    if params["comes"]:
        threading.Timer(0.2, loop.call_soon_threadsafe, [event.set]).start()
    await event.wait()
    return time.monotonic() - began


def test_a_coroutine_that_awaits_what_never_comes_times_out() -> None:
    with BackgroundJobs([awaits]) as jobs:
        _, failures = jobs.service.kick_off_job(awaits, [{"comes": False}]).results()

    assert failures is not None
    assert [failure.error.type for failure in failures] == ["AttemptTimeout"]


@job_name("forever")
async def forever(params: dict[str, Any]) -> None:
    await asyncio.Event().wait()


def test_a_coroutine_without_a_timeout_that_awaits_what_never_comes_is_told_so() -> None:
    with BackgroundJobs([forever]) as jobs:
        _, failures = jobs.service.kick_off_job(forever, [{}]).results()

    assert failures is not None
    assert [failure.error.type for failure in failures] == ["RuntimeError"]
    assert "its job has no timeout" in failures[0].error.message


def test_a_coroutine_is_told_by_a_thread_that_its_job_has_started() -> None:
    with BackgroundJobs([awaits]) as jobs:
        successes, failures = jobs.service.kick_off_job(awaits, [{"comes": True}]).results()

    assert (failures, [success.result for success in successes]) == (None, [0])


@job_name("forks")
def forks(params: dict[str, Any]) -> int:
    child = os.fork()
    if child == 0:
        time.sleep(0.01)
        os._exit(3)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_time_is_real_in_a_child_that_a_job_has_forked() -> None:
    with BackgroundJobs([forks]) as jobs:
        successes, failures = jobs.service.kick_off_job(forks, [{}]).results()

    assert (failures, [success.result for success in successes]) == (None, [3])


@job_name("sums", timeout=60)
async def sums(params: dict[str, list[int]]) -> int:
    """Have each number doubled by an orchestration of its own, all at once."""
    service = aio.OrchestrationService()
    kicked_off = [service.kick_off_job(double, [{"n": n}]) for n in params["numbers"]]
    results = [one.results() for one in await asyncio.gather(*kicked_off)]
    return sum(success.result for one in await asyncio.gather(*results) for success in one.successes)


@job_name("runs", timeout=60)
def runs(params: dict[str, list[int]]) -> int:
    async def sleep_and_sum() -> int:
        await asyncio.sleep(30)
        return await sums(params)

    return asyncio.run(sleep_and_sum())


@pytest.mark.parametrize("job", [sums, runs])
def test_a_job_uses_the_asynchronous_service(job: Any) -> None:
    with BackgroundJobs([sums, runs, double]) as jobs:
        successes, failures = jobs.service.kick_off_job(job, [{"numbers": [1, 2, 3]}]).results()

    assert (failures, [success.result for success in successes]) == (None, [12])


@job_name("streams")
async def streams(params: dict[str, Any]) -> None:
    async def numbers() -> AsyncIterator[dict[str, int]]:
        yield {"n": 1}

    await aio.OrchestrationService().kick_off_job(double, numbers())


def test_a_job_that_kicks_off_what_it_reads_asynchronously_is_told_so() -> None:
    with BackgroundJobs([streams, double]) as jobs:
        _, failures = jobs.service.kick_off_job(streams, [{}]).results()

    assert failures is not None
    assert "give it a list" in failures[0].error.message


def test_services_have_jobs_of_their_own() -> None:
    with BackgroundJobs([double], services={"billing": [Total]}) as jobs:
        orchestration = jobs.service.kick_off_job(Total, [Numbers(values=[1])], service="billing")

        assert orchestration.results().failures is None
        assert [job.name for job in jobs.service.jobs()] == ["double", "total"]
        assert [event.service for event in jobs.completed_events] == ["billing"]


def test_rules_tell_functions_of_the_completions_that_they_match() -> None:
    heard: list[tuple[str, str]] = []

    def handler(event: dict[str, Any], context: object) -> None:
        completed = JobCompletedEvent.from_eventbridge(event)
        heard.append((completed.tags["customer"], completed.outcome))
        assert json.loads(json.dumps(event)) == event

    # given a rule of a job, an outcome and a tag
    with BackgroundJobs([double, fussy]) as jobs:
        jobs.on_job_completed(handler, job_name="fussy", outcome="Errored", tags={"customer": "acme"})
        # when others complete as well
        for job, params, customer in (
            ("fussy", {"bad": "fig"}, "acme"),
            ("fussy", {"bad": "fig"}, "other"),
            ("fussy", {}, "acme"),
            ("double", {}, "acme"),
        ):
            jobs.service.kick_off_job(job, [params], tags={"customer": customer})
        jobs.run_until_idle()
    # then it hears of the one
    assert heard == [("acme", "Errored")]


def test_a_rule_starts_a_stage_once_however_often_the_completion_comes() -> None:
    with BackgroundJobs([double, echo]) as jobs:
        jobs.start_after("EchoAfterDouble", job_name="double", stage=Stage("echo", {"doubled": "$results"}))
        jobs.duplicate()
        jobs.service.kick_off_job("double", [{"n": 1}, {"n": 2}], tags={"customer": "acme"})
        jobs.run_until_idle()

        (echoed,), _ = jobs.service.history(job_name="echo")
        assert echoed.tags == {"customer": "acme"}
        results = jobs.service.orchestration(echoed.orchestration_id).results()
        assert [success.result for success in results.successes] == [{"doubled": [2, 4]}]


def test_what_a_function_does_to_an_event_is_not_in_its_second_delivery() -> None:
    heard: list[str] = []
    with BackgroundJobs([double]) as jobs:
        jobs.on_job_completed(lambda event, context: heard.append(event["detail"].pop("job_name")))
        jobs.duplicate()
        jobs.service.kick_off_job("double", [{"n": 1}])
        jobs.run_until_idle()
    assert len(heard) > 1
    assert set(heard) == {"double"}


def test_a_rule_that_would_follow_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="'double' cannot follow itself"):
        BackgroundJobs([double]).start_after("Again", job_name="double", stage=Stage("double"))


def test_what_a_function_of_a_rule_raises_is_raised_in_the_test() -> None:
    def handler(event: dict[str, Any], context: object) -> None:
        raise ZeroDivisionError

    with BackgroundJobs([double]) as jobs:
        jobs.on_job_completed(handler)
        jobs.service.kick_off_job("double", [{"n": 1}])
        with pytest.raises(ZeroDivisionError):
            jobs.run_until_idle()


def test_a_cron_is_due_by_the_clock() -> None:
    with BackgroundJobs([double], start=NOON) as jobs:
        schedule = jobs.service.schedule_job(
            "nightly", "double", [{"n": 1}], cron="0 3 * * *", timezone="Europe/Berlin"
        )

        jobs.clock.advance(timedelta(days=2))

        due = [run.scheduled_at for run in schedule.runs()]
        assert sorted(due) == [datetime(2026, 3, day, 2, tzinfo=UTC) for day in (3, 4)]
        assert [event.tags["schedule"] for event in jobs.completed_events] == ["nightly", "nightly"]


def test_a_schedule_is_due_once_or_every_so_often() -> None:
    with BackgroundJobs([double], start=NOON) as jobs:
        once = jobs.service.schedule_job("once", "double", [{"n": 1}], at=NOON + timedelta(hours=1))
        often = jobs.service.schedule_job("often", "double", [{"n": 1}], every=timedelta(minutes=30))

        jobs.clock.advance(timedelta(hours=2))

        assert [run.scheduled_at for run in once.runs()] == [NOON + timedelta(hours=1)]
        assert len(often.runs()) == 4
        assert [schedule.name for schedule in jobs.service.schedules()] == ["often"]


def test_a_backfill_may_begin_and_end_in_the_hour_that_clocks_show_twice() -> None:
    # given a schedule that was due each half hour of the night in which clocks were set back
    berlin = ZoneInfo("Europe/Berlin")
    first, again = (datetime(2026, 10, 25, 2, 30, tzinfo=berlin, fold=fold) for fold in (0, 1))
    three = datetime(2026, 10, 25, 3, tzinfo=berlin)
    due = [datetime(2026, 10, 25, 0, 30, tzinfo=UTC) + n * timedelta(minutes=30) for n in range(3)]
    with BackgroundJobs([double], start=datetime(2026, 10, 25, 12, tzinfo=UTC)) as jobs:
        schedule = jobs.service.schedule_job("often", "double", [{"n": 1}], cron="*/30 * * * *")

        # then from the first half past two to the second one it was due twice
        assert schedule.preview_backfill(first, again).occurrences == tuple(due[:2])

        # and from the second half past two to three o'clock it was due once
        assert schedule.preview_backfill(again, three).occurrences == (due[2],)
        assert schedule.occurrences(again, three).occurrences == (due[2],)


@pytest.mark.parametrize(
    ("overlap", "states"),
    [
        ("skip", [RunState.STARTED, RunState.SKIPPED, RunState.STARTED]),
        ("queue", [RunState.STARTED, RunState.STARTED, RunState.QUEUED]),
        ("allow", [RunState.STARTED] * 3),
    ],
)
def test_an_occurrence_during_a_run(
    overlap: Literal["skip", "queue", "allow"], states: list[RunState]
) -> None:
    with BackgroundJobs([sleepy], start=NOON) as jobs:
        schedule = jobs.service.schedule_job(
            "hourly", "sleepy", [{"seconds": 5_400}], cron="0 * * * *", overlap=overlap
        )

        jobs.clock.advance(timedelta(hours=3, minutes=30))

        assert [run.state for run in sorted(schedule.runs(), key=lambda run: run.scheduled_at)] == states


def test_a_schedule_pauses_and_is_deleted() -> None:
    with BackgroundJobs([double], start=NOON) as jobs:
        schedule = jobs.service.schedule_job("hourly", "double", [{"n": 1}], cron="0 * * * *")
        schedule.pause()
        jobs.clock.advance(timedelta(hours=2))
        paused = len(schedule.runs())
        schedule.resume()
        jobs.clock.advance(timedelta(hours=2))
        resumed = len(schedule.runs())
        schedule.delete()
        jobs.clock.advance(timedelta(hours=2))

        assert (paused, resumed, len(schedule.runs())) == (0, 2, 2)


def test_a_job_that_is_in_no_service_is_refused() -> None:
    with BackgroundJobs([double]) as jobs, pytest.raises(UnknownJobName):
        jobs.service.kick_off_job(fussy, [{}])


def test_the_asynchronous_service_works_on_the_twin() -> None:
    async def kick_off() -> list[object]:
        service = aio.OrchestrationService()
        orchestration = await service.kick_off_job("double", [{"n": 1}, {"n": 2}])
        results = await orchestration.results()
        return [success.result for success in results.successes]

    with BackgroundJobs([double]):
        assert asyncio.run(kick_off()) == [2, 4]


def test_one_twin_is_open_at_a_time() -> None:
    with BackgroundJobs([double]), pytest.raises(TwinIsNotOpen, match="Another twin is open"):
        BackgroundJobs([double]).__enter__()


def test_a_twin_is_used_in_its_context() -> None:
    jobs = BackgroundJobs([double])

    with pytest.raises(TwinIsNotOpen, match="in `with BackgroundJobs"):
        _ = jobs.service


def test_a_start_in_a_zone_is_the_same_time_in_utc_and_a_day_has_24_hours() -> None:
    start = datetime(2026, 3, 28, 12, tzinfo=ZoneInfo("Europe/Berlin"))

    with BackgroundJobs([double], start=start) as jobs:
        assert (jobs.clock.now(), jobs.clock.now().tzinfo) == (start, UTC)
        jobs.clock.advance(timedelta(hours=48))
        assert jobs.clock.now() == datetime(2026, 3, 30, 11, tzinfo=UTC)


def test_a_start_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        BackgroundJobs([double], start=datetime(2026, 3, 28, 12))  # noqa: DTZ001 -- what is refused


NAMES = "sleep, monotonic, monotonic_ns, perf_counter, perf_counter_ns, time, time_ns"
SLEEPER = f"""
from time import {NAMES}
from background_jobs import job_name

@job_name("sleeper", timeout=5)
def sleeper(params):
    began = [monotonic(), monotonic_ns() / 1e9, perf_counter(), perf_counter_ns() / 1e9, time(), time_ns() / 1e9]
    sleep(params["seconds"])
    ended = [monotonic(), monotonic_ns() / 1e9, perf_counter(), perf_counter_ns() / 1e9, time(), time_ns() / 1e9]
    return [round(end - begin, 3) for begin, end in zip(began, ended)]
"""


@pytest.fixture
def named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module that is imported now, and that has names for the functions of `time`."""
    (tmp_path / "named_functions.py").write_text(SLEEPER, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "named_functions", raising=False)
    return importlib.import_module("named_functions")


def test_functions_of_time_that_the_module_of_a_job_has_imported_tell_virtual_time(
    named: ModuleType,
) -> None:
    before = [getattr(named, name) for name in NAMES.split(", ")]

    with BackgroundJobs([named.sleeper]) as jobs:
        successes, failures = jobs.service.kick_off_job("sleeper", [{"seconds": 3}, {"seconds": 9}]).results()

    assert [success.result for success in successes] == [[3] * 6]
    assert failures is not None
    assert [(failure.index, failure.error.type) for failure in failures] == [(1, "AttemptTimeout")]
    assert [getattr(named, name) for name in NAMES.split(", ")] == before
    assert before == [getattr(time, name) for name in NAMES.split(", ")]


def test_a_function_of_time_that_is_kept_is_that_of_the_twin_that_is_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time_functions, "_REAL_SLEEP", slept.append)
    with BackgroundJobs([double]):
        kept = time.sleep

    kept(2)
    with BackgroundJobs([double]) as jobs:
        began = jobs.clock.now()
        kept(100)
        passed = jobs.clock.now() - began

    assert (slept, passed) == ([2], timedelta(seconds=100))


def test_two_lists_of_jobs_for_the_default_service_are_refused() -> None:
    with pytest.raises(ValueError, match="both of the default service"):
        BackgroundJobs([double], services={"default": [fussy]})


@pytest.mark.parametrize(
    ("name", "hint"), [("max_paralelism", "mean max_parallelism"), ("zzz", "the settings are environment, ")]
)
def test_a_keyword_that_is_no_setting_is_refused(name: str, hint: str) -> None:
    with pytest.raises(TypeError, match=f"no setting {name!r}: .*{hint}"):
        BackgroundJobs([double], **{name: 3})  # type: ignore[arg-type] # any name


@pytest.mark.parametrize("time", [-1, timedelta(days=-1), float("nan"), float("inf")])
def test_time_passes_forwards(time: float | timedelta) -> None:
    with BackgroundJobs([double], start=NOON) as jobs:
        with pytest.raises(ValueError, match="cannot pass"):
            jobs.clock.advance(time)
        assert jobs.clock.now() == NOON


def test_a_closed_twin_leaves_the_process_as_it_was() -> None:
    before = (time.sleep, time.monotonic, time.time, os._exit, dict(os.environ))

    with BackgroundJobs([cooperative]) as jobs:
        jobs.service.kick_off_job(cooperative, [{}])
        jobs.clock.advance(10)

    assert (time.sleep, time.monotonic, time.time, os._exit, dict(os.environ)) == before
    assert seen == ["began"]


@job_name("endless")
def endless(params: dict[str, int]) -> None:
    while not may_end.is_set():
        pass
    has_ended.set()


may_end, has_ended = threading.Event(), threading.Event()


def test_an_endless_job_can_be_interrupted() -> None:
    class Interrupted(Exception):
        pass

    def interrupt(*_: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with BackgroundJobs([endless]) as jobs:
            orchestration = jobs.service.kick_off_job(endless, [{}])
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(Interrupted):
                orchestration.results()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    may_end.set()

    assert has_ended.wait(60)
    with BackgroundJobs([double]) as jobs:
        assert jobs.service.kick_off_job(double, [{"n": 1}]).results().failures is None


@job_name("threaded")
def threaded(params: dict[str, int]) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(OrchestrationService().kick_off_job("double", [params]).results).result()


def test_a_thread_of_a_job_that_waits_for_the_service_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual_time, "_PATIENCE_SECONDS", 0.1)
    with BackgroundJobs([threaded, double]) as jobs:
        failures = jobs.service.kick_off_job(threaded, [{"n": 1}]).results().failures

    assert failures is not None
    assert failures[0].error.type == "RuntimeError"
    assert "call the service in the job's own thread" in failures[0].error.message


def test_what_the_twin_does_not_know_of_aws_is_an_error() -> None:
    with BackgroundJobs([double]) as jobs:
        table, item = jobs.settings.event_log_table, {"pk": {"S": "a"}, "sk": {"S": "b"}}
        query = clients.dynamodb().get_paginator("query")
        with pytest.raises(NotImplementedError, match=r"no dynamodb\.update_item"):
            clients.dynamodb().update_item(TableName=table, Key={})
        with pytest.raises(NotImplementedError, match=r"cannot check 'size\(x\) > :y'"):
            clients.dynamodb().put_item(TableName=table, Item=item, ConditionExpression="size(x) > :y")
        with pytest.raises(NotImplementedError, match="cannot read 'begins_with"):
            list(query.paginate(TableName=table, KeyConditionExpression="begins_with(pk, :a)"))


def test_all_that_reads_the_clock_is_told_virtual_time() -> None:
    """A name that is imported in another way would keep the clock of the machine."""
    folder = Path(background_jobs.__file__).parent
    parts = [part.rpartition(".")[-1] for part in time_patches._PARTS]
    modules = [
        path for part in parts for path in [*folder.glob(f"{part}.py"), *(folder / part).rglob("*.py")]
    ]

    others = [
        (path.name, line)
        for path in modules
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(
            r"from time import|import time as|datetime as |default_factory=time|^import datetime$", line
        )
    ]

    assert others == []
    assert len(modules) > 100
