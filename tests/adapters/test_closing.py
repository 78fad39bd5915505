"""Closing what has no outcome: by taking ranges over, with few calls, and beside whoever still works."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from background_jobs import OrchestrationService
from background_jobs.aws import clients
from background_jobs.aws.block_log import BlockLog
from background_jobs.aws.stores import Stores
from background_jobs.control_plane import close_unfinished as closing
from background_jobs.control_plane.close_unfinished import CloseRequest, close_unfinished
from background_jobs.control_plane.rebuild import check, rebuild
from background_jobs.core.blocks import Block, InstanceRange, cut_bodies, ranges_of_orchestration
from background_jobs.core.errors import OrchestrationNotFound
from background_jobs.core.events import JobCompleted, JobErrored
from background_jobs.core.ownership import Ownership, RangeLost, begin
from background_jobs.orchestration_service import Orchestration
from background_jobs.settings import Settings
from tests.memory import append_events
from tests.unit.histories import at, container_started, job_completed, job_started

LOST = {"Error": "States.TaskFailed", "Cause": "gone"}


def params(total: int) -> Iterator[dict[str, Any]]:
    return ({"n": n} for n in range(total))


def append_outcome(stores: Stores, orchestration: Orchestration, *indices: int) -> None:
    events = [job_completed(n).model_copy(update={"orchestration_id": orchestration.id}) for n in indices]
    append_events(stores, *events)


def request(orchestration: Orchestration, **fields: Any) -> CloseRequest:
    return CloseRequest.model_validate({"orchestration_id": orchestration.id, "error": LOST} | fields)


def outcomes(stores: Stores, orchestration: Orchestration, total: int) -> list[JobCompleted | JobErrored]:
    return list(stores.event_log.read_outcomes(orchestration.id, 0, total - 1))


def first_owner(stores: Stores, orchestration: Orchestration) -> Ownership:
    """Return the right of the container of the first share."""
    started = stores.event_log.read_started(orchestration.id)
    ranges = ranges_of_orchestration("default", orchestration.id, started.total, started.parallelism)
    return begin(next(ranges), "container")


def test_what_has_no_outcome_is_errored_with_its_params_and_its_last_attempt(
    service: OrchestrationService, stores: Stores
) -> None:
    # given two shares, of which the first began one instance and ended another
    orchestration = service.kick_off_job("halve", params(600), parallelism=2)
    append_outcome(stores, orchestration, 7)
    append_events(stores, job_started(8, 2).model_copy(update={"orchestration_id": orchestration.id}))

    # when the first is closed
    assert close_unfinished(request(orchestration, indices="0-299"), stores) == 299

    # then only its instances are errored, and each is told of as far as it came
    found = outcomes(stores, orchestration, 600)
    assert [outcome.index for outcome in found] == list(range(300))
    errored = {outcome.index: outcome for outcome in found if isinstance(outcome, JobErrored)}
    assert 7 not in errored
    assert (errored[8].attempts, errored[8].started_at) == (2, at(1))
    assert (errored[299].attempts, errored[299].params) == (0, {"n": 299})
    assert errored[299].error.type == "NotLaunched"

    # and closing it again closes nothing, while closing everything closes the rest
    assert close_unfinished(request(orchestration, indices="0-299"), stores) == 0
    assert close_unfinished(request(orchestration), stores) == 300
    assert len(outcomes(stores, orchestration, 600)) == 600


def test_a_share_that_is_given_up_after_a_cancellation_was_cancelled(
    service: OrchestrationService, stores: Stores
) -> None:
    # given an orchestration that is cancelled while its launches are refused
    orchestration = service.kick_off_job("halve", params(2), parallelism=2)
    orchestration.cancel("wrong month")
    # when the state machine closes a share because no further launch is tried
    assert close_unfinished(request(orchestration, indices="0-0"), stores) == 1
    # then its instances say what happened to them
    (outcome,) = outcomes(stores, orchestration, 2)
    assert isinstance(outcome, JobErrored)
    assert (outcome.error.type, outcome.error.message) == ("Cancelled", "wrong month")


def test_large_params_are_kept_by_reference(service: OrchestrationService, stores: Stores) -> None:
    large = {"text": "x" * 30_000}
    orchestration = service.kick_off_job("halve", [{"n": 0}, large, {"n": 2}])
    assert close_unfinished(request(orchestration), stores) == 3
    _, second, third = outcomes(stores, orchestration, 3)
    assert isinstance(second, JobErrored)
    assert isinstance(third, JobErrored)
    assert second.params_ref is not None
    stored = stores.payloads.get(second.params_ref.key, second.params_ref.bytes)
    assert stored == b'{"text":"' + b"x" * 30_000 + b'"}\n'
    assert third.params == {"n": 2}


def test_thousands_of_shares_of_one_take_some_dozens_of_calls_a_thousand(
    service: OrchestrationService, stores: Stores, settings: Settings
) -> None:
    total = 1_000
    wide = settings.model_copy(update={"max_parallelism": 10_000})
    orchestration = OrchestrationService(wide).kick_off_job("halve", params(total), parallelism=total)
    append_outcome(stores, orchestration, *range(0, total, 100))
    calls: Counter[str] = Counter()
    for client in (clients.dynamodb(), clients.s3()):
        client.meta.events.register("before-call", lambda model, **_: calls.update([model.name]))

    assert close_unfinished(request(orchestration), stores) == total - 10

    assert calls.total() <= 25, calls
    assert len(outcomes(stores, orchestration, total)) == total
    assert check(orchestration.id, stores).log == []


def test_a_container_that_was_thought_dead_is_refused_after_its_share_was_closed(
    service: OrchestrationService, stores: Stores
) -> None:
    orchestration = service.kick_off_job("halve", params(10), parallelism=1)
    container = first_owner(stores, orchestration)
    (start,) = cut_bodies([job_started(0)])
    stores.block_log.run(container.append(start))

    close_unfinished(request(orchestration), stores)

    (outcome,) = cut_bodies([job_completed(0)])
    with pytest.raises(RangeLost):
        stores.block_log.run(container.append(outcome))
    assert all(isinstance(outcome, JobErrored) for outcome in outcomes(stores, orchestration, 10))


def test_an_outcome_that_comes_while_its_share_is_closed_stays_the_only_one(
    service: OrchestrationService, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a container that appends an outcome just when the closer has read
    orchestration = service.kick_off_job("halve", params(10), parallelism=1)
    container = first_owner(stores, orchestration)
    appends = iter([job_completed(3)])
    run_all = BlockLog.run_all

    def race(log: BlockLog, protocols: Any) -> Iterator[Any]:
        for event in appends:
            stores.block_log.run(container.append(next(cut_bodies([event]))))
        return run_all(log, protocols)

    monkeypatch.setattr(BlockLog, "run_all", race)
    assert close_unfinished(request(orchestration), stores) == 9
    found = outcomes(stores, orchestration, 10)
    assert [outcome.index for outcome in found] == list(range(10))
    assert isinstance(found[3], JobCompleted)


def test_what_nobody_can_read_keeps_no_share_open(service: OrchestrationService, stores: Stores) -> None:
    # given a container, in another language, that appended what is no event
    orchestration = service.kick_off_job("halve", params(2), parallelism=2)
    part = InstanceRange("default", orchestration.id, 0, 0)
    stores.block_log.append(Block(part, 0, 0, "container", b'[{"type":"JobDone","index":0}]'))

    assert close_unfinished(request(orchestration), stores) == 2

    assert [outcome.index for outcome in outcomes(stores, orchestration, 2)] == [0, 1]
    (told,) = rebuild(orchestration.id, stores, at(0)).later
    assert "JobDone" in told


def test_what_nobody_can_read_keeps_no_container_from_its_share(
    service: OrchestrationService, stores: Stores, launch: Callable[..., None]
) -> None:
    # given an earlier launch of the share that appended what is no event
    orchestration = service.kick_off_job("halve", params(3), parallelism=1)
    stores.event_log.append(container_started().model_copy(update={"orchestration_id": orchestration.id}))
    part = InstanceRange("default", orchestration.id, 0, 2)
    stores.block_log.append(Block(part, 0, 0, "launch 0", b'[{"type":"JobDone","index":0}]'))

    launch(orchestration)

    assert [outcome.index for outcome in outcomes(stores, orchestration, 3)] == [0, 1, 2]


def test_closing_fills_the_place_of_a_removed_block(service: OrchestrationService, stores: Stores) -> None:
    # given a range whose first block was removed, or was appended after the reader had passed its place
    orchestration = service.kick_off_job("halve", params(3), parallelism=1)
    part = InstanceRange("default", orchestration.id, 0, 2)
    (body,) = cut_bodies([job_completed(1).model_copy(update={"orchestration_id": orchestration.id})])
    stores.block_log.append(Block(part, 1, 0, "launch 0", body))

    close_unfinished(request(orchestration), stores)

    assert {outcome.index for outcome in outcomes(stores, orchestration, 3)} == {0, 1, 2}


def test_closing_holds_a_few_windows_in_memory_whatever_there_is_to_close(
    service: OrchestrationService, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "TRANSACTION_ITEMS", 3)
    monkeypatch.setattr(closing, "_WINDOW_BYTES", 10_000)
    orchestration = service.kick_off_job("halve", params(1_500), parallelism=30)
    append_outcome(stores, orchestration, *itertools.chain(range(400), range(1_000, 1_100)))
    windows: list[int] = []
    run_all = BlockLog.run_all

    def count(log: BlockLog, protocols: Any) -> Iterator[Any]:
        held = list(protocols)
        windows.append(len(held))
        return run_all(log, held)

    monkeypatch.setattr(BlockLog, "run_all", count)
    assert close_unfinished(request(orchestration), stores) == 1_000
    assert max(windows) <= 3
    assert len(outcomes(stores, orchestration, 1_500)) == 1_500


def test_closing_what_was_never_kicked_off_says_so(stores: Stores) -> None:
    with pytest.raises(OrchestrationNotFound):
        close_unfinished(CloseRequest(orchestration_id="0b0e3f3c-1c58-4c0e-9d54-6f3c2d0a7c99"), stores)
