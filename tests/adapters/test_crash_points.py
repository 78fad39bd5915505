"""Stopping the kick-off, the worker and the aggregator at every call of AWS that they make, in turn."""

import contextlib
import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import boto3
import pytest

from background_jobs import OrchestrationService, job_name
from background_jobs.aws import clients
from background_jobs.aws.event_bus import EventBus
from background_jobs.aws.event_log import EventLog
from background_jobs.aws.read_model import ReadModelConflict
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.aggregate_jobs import Aggregator
from background_jobs.control_plane.rebuild import differences, rebuild
from background_jobs.control_plane.stream import handle_records
from background_jobs.core.events import Event, OrchestrationCompleted, OrchestrationStarted
from background_jobs.jobs import Jobs
from background_jobs.settings import ContainerSettings, Settings
from background_jobs.worker import event_writer
from background_jobs.worker.container import Container
from background_jobs.worker.current_attempt import SharedCurrentAttempt
from tests.adapters.crash import Crash, CrashPoint
from tests.memory import append_events, expect_no_unreadable
from tests.unit.histories import at, job_completed

TOTAL = 7


@pytest.fixture(params=["before", "after"])
def crash(request: pytest.FixtureRequest) -> CrashPoint:
    return CrashPoint(request.param)


@job_name("square")
def square(params: dict[str, int]) -> int:
    if params["n"] == 3:
        raise ValueError("three")
    return params["n"] ** 2


def params() -> Iterator[dict[str, int]]:
    return ({"n": n} for n in range(TOTAL))


@pytest.fixture
def dynamodb() -> Any:
    """A client that is never stopped."""
    return boto3.client("dynamodb")


def log_items(dynamodb: Any, settings: Settings) -> list[dict[str, Any]]:
    return [dict(item) for item in dynamodb.scan(TableName=settings.event_log_table)["Items"]]


def run_share(stores: Stores, orchestration_id: str) -> None:
    started = stores.event_log.read_started(orchestration_id)
    (line,) = stores.payloads.lines(started.shares_key)
    share = json.loads(line)
    environment = {
        "JOB_NAME": "square",
        "ORCHESTRATION_ID": orchestration_id,
        "JOB_ID": share["job_id"],
        "JOB_SHARE": share["share"],
        "JOB_INDICES": share["indices"],
        "JOB_PARAMS_KEY": started.params_key,
        "JOB_PARAMS_BYTES": share["bytes"],
        "BACKGROUND_JOBS_SERVICE": started.service,
    }
    Container(Jobs([square]), ContainerSettings.from_env(environment), stores, SharedCurrentAttempt()).work()


@pytest.fixture
def deliver(dynamodb: Any, stores: Stores, settings: Settings) -> Callable[[str], list[Any]]:
    """Deliver the records of one orchestration to the aggregator; return what it asks to have again."""
    bus = EventBus(clients.events(), settings.event_bus)
    aggregator = Aggregator(stores.event_log, stores.read_model, bus, clock=lambda: at(0))

    def deliver(orchestration_id: str) -> list[Any]:
        records = [
            {"eventName": "INSERT", "dynamodb": {"SequenceNumber": str(number), "NewImage": item}}
            for number, item in enumerate(log_items(dynamodb, settings))
            if orchestration_id in item["pk"]["S"]
        ]
        return handle_records(records, aggregator.aggregate, expect_no_unreadable)["batchItemFailures"]

    return deliver


def deliver_all(deliver: Callable[[str], list[Any]], orchestration_id: str) -> None:
    for _ in ("the outcomes", "the completion that follows from them"):
        assert deliver(orchestration_id) == []


def test_a_kick_off_happened_or_it_did_not_wherever_it_stops(
    service: OrchestrationService, dynamodb: Any, settings: Settings, stores: Stores, crash: CrashPoint
) -> None:
    reached, nth = True, 0
    while reached:
        nth += 1
        crash.arm(nth)
        with contextlib.suppress(Crash):
            service.kick_off_job("square", params(), key=f"crash {nth}", parallelism=1)
        reached = crash.disarm()
        # tried again, it exists once, with all its params
        orchestration = service.kick_off_job("square", params(), key=f"crash {nth}", parallelism=1)
        started = stores.event_log.read_started(orchestration.id)
        assert isinstance(started, OrchestrationStarted)
        assert len(list(stores.payloads.lines(started.params_key))) == started.total == TOTAL
        assert len(list(stores.payloads.lines(started.shares_key))) == 1
    assert nth == 4  # two uploads and a transaction, and then none is left to stop at
    # each is in the log once, beside the item that says to which service it belongs
    assert len(log_items(dynamodb, settings)) == 2 * nth


def test_a_worker_repeats_only_what_has_no_outcome_wherever_it_stops(
    service: OrchestrationService,
    stores: Stores,
    crash: CrashPoint,
    deliver: Callable[[str], list[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given a worker that appends many small blocks
    monkeypatch.setattr(event_writer, "APPEND_SECONDS", 0)
    reached, nth = True, 0
    while reached:
        nth += 1
        orchestration = service.kick_off_job("square", params(), parallelism=1)
        crash.arm(nth)
        with contextlib.suppress(Crash):
            run_share(stores, orchestration.id)
        reached = crash.disarm()
        run_share(stores, orchestration.id)
        deliver_all(deliver, orchestration.id)
        successes, failures = service.get_job_results(orchestration.id, timeout=0)
        assert [(success.index, success.result) for success in successes] == [
            (n, n**2) for n in range(TOTAL) if n != 3
        ]
        assert [failure.params for failure in failures or []] == [{"n": 3}]
        assert differences(orchestration.id, stores) == []
    assert nth > 6


def test_a_relaunch_may_stop_anywhere_as_well(
    service: OrchestrationService, stores: Stores, crash: CrashPoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_writer, "APPEND_SECONDS", 0)
    reached, nth = True, 0
    while reached:
        nth += 1
        orchestration = service.kick_off_job("square", params(), parallelism=1)
        for stops_at in (4, nth):
            crash.arm(stops_at)
            with contextlib.suppress(Crash):
                run_share(stores, orchestration.id)
            reached = crash.disarm()
        run_share(stores, orchestration.id)
        outcomes = list(stores.event_log.read_outcomes(orchestration.id, 0, TOTAL - 1))
        assert [(outcome.index, outcome.type) for outcome in outcomes] == [
            (n, "JobErrored" if n == 3 else "JobCompleted") for n in range(TOTAL)
        ]
    assert nth > 6


def test_the_aggregator_comes_to_the_same_end_wherever_it_stops(
    service: OrchestrationService,
    stores: Stores,
    settings: Settings,
    crash: CrashPoint,
    deliver: Callable[[str], list[Any]],
) -> None:
    reached, nth = True, 0
    while reached:
        nth += 1
        orchestration = service.kick_off_job("square", params(), parallelism=1)
        run_share(stores, orchestration.id)
        crash.arm(nth)
        # the completion comes back through the stream
        asked_again = deliver(orchestration.id) + deliver(orchestration.id)
        reached = crash.disarm()
        # it asked for the records that it could not handle again
        assert reached == bool(asked_again)
        deliver_all(deliver, orchestration.id)
        assert orchestration.summary().done
        assert differences(orchestration.id, stores) == []
        events = list(stores.event_log.read_all(orchestration.id, TOTAL))
        assert sum(isinstance(event, OrchestrationCompleted) for event in events) == 1
    assert nth == 7  # two loads, two commits, a put and a publication, and then none is left to stop at


def test_rebuilding_while_the_orchestration_goes_on_overwrites_nothing(
    service: OrchestrationService,
    stores: Stores,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    aggregator = Aggregator(
        stores.event_log, stores.read_model, EventBus(clients.events(), settings.event_bus), lambda: at(0)
    )
    orchestration = service.kick_off_job("square", params(), parallelism=1)
    aggregator.aggregate("default", orchestration.id, [stores.event_log.read_started(orchestration.id)])
    outcomes = iter(
        [job_completed(n).model_copy(update={"orchestration_id": orchestration.id}) for n in range(TOTAL)]
    )

    def append_one_outcome() -> None:
        for event in islice(outcomes, 1):
            append_events(stores, event)
            aggregator.aggregate("default", orchestration.id, [event])

    # given an outcome that is appended and folded just when the log has been read
    read = stores.event_log.read_all

    def read_while_outcomes_come(log: EventLog, *args: Any) -> Iterator[Event]:
        yield from list(read(*args))
        append_one_outcome()

    append_one_outcome()
    monkeypatch.setattr(EventLog, "read_all", read_while_outcomes_come)
    with contextlib.suppress(ReadModelConflict):
        rebuild(orchestration.id, stores, at(0))
    monkeypatch.undo()
    for event in outcomes:
        append_events(stores, event)
        aggregator.aggregate("default", orchestration.id, [event])

    assert orchestration.summary().completed == TOTAL
    whole = stores.event_log.read_orchestration(orchestration.id).events
    assert sum(isinstance(event, OrchestrationCompleted) for event in whole) == 1


def test_rebuilding_completes_what_every_aggregator_gave_up(
    service: OrchestrationService, stores: Stores, deliver: Callable[[str], list[Any]]
) -> None:
    orchestration = service.kick_off_job("square", params(), parallelism=1)
    run_share(stores, orchestration.id)
    assert rebuild(orchestration.id, stores, at(0)).read_model != []
    assert deliver(orchestration.id) == []
    assert orchestration.summary().done
    assert differences(orchestration.id, stores) == []
