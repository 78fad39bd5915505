"""Reading outcomes in bulk: as many are in memory at a time as before, however many there are."""

import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

import pytest

from background_jobs import OrchestrationService, Stage
from background_jobs.aws import clients
from background_jobs.aws.payloads import Payloads
from background_jobs.aws.stores import Stores
from background_jobs.control_plane import kick_off_job
from background_jobs.core.events import JobEvent, OrchestrationStarted, PayloadRef
from background_jobs.core.payloads import params_line
from background_jobs.orchestration_service import params_spool
from background_jobs.orchestration_service.outcomes import read_errors, read_outcomes_at
from background_jobs.orchestration_service.params_spool import ParamsSpool
from background_jobs.orchestration_service.rerun_family import Member, merge_outcomes
from background_jobs.orchestration_service.stored_params import ParamsReader
from tests.memory import append_events
from tests.unit.histories import job_completed, job_errored

MANY = 15_000
RESULT = "r" * 2_000
BOUND = 16_000_000
"""Bytes: half of what all results take; a few partitions at a time take some six."""


@pytest.fixture
def finish(service: OrchestrationService, stores: Stores) -> Callable[..., OrchestrationStarted]:
    """Kick off an orchestration, and give all its instances the outcomes that a function makes."""

    def finish(total: int, make: Callable[[int], JobEvent], parallelism: int = 7) -> OrchestrationStarted:
        orchestration = service.kick_off_job(
            "count", ({"n": n} for n in range(total)), parallelism=parallelism
        )
        started = stores.event_log.read_started(orchestration.id)
        append_events(stores, *(of(orchestration.id, make(index)) for index in range(total)))
        return started

    return finish


def of(orchestration_id: str, event: JobEvent) -> JobEvent:
    return event.model_copy(update={"orchestration_id": orchestration_id})


def make_success(index: int) -> JobEvent:
    return job_completed(index, result=RESULT)


def make_failure(index: int) -> JobEvent:
    return job_errored(index, params={"text": RESULT})


def peak(items: Iterable[object]) -> int:
    """Return how many bytes were in memory at most while *items* were read."""
    tracemalloc.start()
    try:
        for _ in items:
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def read_all(started: OrchestrationStarted, stores: Stores) -> Iterator[object]:
    return read_outcomes_at(started, range(started.total), stores)


def read_merged(started: OrchestrationStarted, stores: Stores) -> Iterator[object]:
    # As if all had run again: what is read is the same, and it comes twice.
    return merge_outcomes([Member(started, range(started.total))] * 2, stores)


def read_params_of_next_stage(started: OrchestrationStarted, stores: Stores) -> Iterator[object]:
    members = [Member(started, range(started.total))]
    with ParamsSpool() as spool:
        spool.fill(kick_off_job._params(Stage("load"), [members], stores), params_line)
        yield spool.total


@pytest.mark.parametrize("read", [read_all, read_merged, read_params_of_next_stage])
def test_outcomes_are_never_all_in_memory(
    finish: Callable[..., OrchestrationStarted],
    stores: Stores,
    monkeypatch: pytest.MonkeyPatch,
    read: Callable[[OrchestrationStarted, Stores], Iterator[object]],
) -> None:
    monkeypatch.setattr(params_spool, "_IN_MEMORY", 100_000)
    assert peak(read(finish(MANY, make_success), stores)) < BOUND


def test_errors_are_never_all_in_memory(finish: Callable[..., OrchestrationStarted], stores: Stores) -> None:
    orchestration_id = finish(MANY, make_failure).orchestration_id
    assert peak(read_errors(orchestration_id, range(MANY), stores)) < BOUND


def test_params_of_a_kick_off_are_never_all_in_memory(
    service: OrchestrationService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(params_spool, "_IN_MEMORY", 100_000)
    uploaded: list[int] = []

    def upload(_payloads: Payloads, _key: str, file: IO[bytes]) -> None:
        file.seek(0)
        uploaded.append(sum(len(piece) for piece in iter(lambda: file.read(64_000), b"")))

    def kick_off(total: int) -> Iterator[object]:
        yield service.kick_off_job("count", ({"text": RESULT} for _ in range(total)), parallelism=100)

    monkeypatch.setattr(Payloads, "upload", upload)
    peak(kick_off(100))  # imports
    few, many = (peak(kick_off(total)) for total in (1_000, MANY))
    # 28 MB more of params take no more memory
    assert max(uploaded) > MANY * len(RESULT)
    assert many < few + 1_000_000


def test_params_of_a_few_instances_are_read_with_few_requests(
    finish: Callable[..., OrchestrationStarted], stores: Stores
) -> None:
    started = finish(MANY, lambda index: job_completed(index, result=index), parallelism=100)
    requests: list[str] = []
    clients.s3().meta.events.register("before-call.s3.GetObject", lambda **_: requests.append("GetObject"))
    reader = ParamsReader(started, stores.payloads)
    # when an instance at the beginning, some in the middle and the last one are read
    indices = [3, 9_900, 9_901, 10_150, MANY - 1]
    assert [reader.read(index)["n"] for index in indices] == indices
    assert len(requests) == 3  # the list of shares, too
    # then reading every one takes few requests, each for twice as much as the one before
    requests.clear()
    reader = ParamsReader(started, stores.payloads)
    assert [reader.read(index)["n"] for index in range(MANY)] == list(range(MANY))
    assert len(requests) == 2


def test_only_the_partitions_of_the_instances_are_read(
    finish: Callable[..., OrchestrationStarted], stores: Stores, dynamodb_calls: list[str]
) -> None:
    started = finish(MANY, lambda index: job_completed(index, result=index))
    dynamodb_calls.clear()
    outcomes: list[Any] = list(read_outcomes_at(started, [0, 249, 6_000], stores))
    assert [(outcome.index, outcome.params, outcome.result) for outcome in outcomes] == [
        (0, {"n": 0}, 0), (249, {"n": 249}, 249), (6_000, {"n": 6_000}, 6_000),
    ]  # fmt: skip
    assert dynamodb_calls == ["Query", "Query"]


def test_a_result_that_is_named_by_its_digest_is_fetched(
    finish: Callable[..., OrchestrationStarted], stores: Stores
) -> None:
    key = f"orchestrations/default/x/results/00000000-{'ab' * 32}.json"
    stores.payloads.put(key, b'{"large":true}')
    started = finish(2, lambda index: job_completed(index, result_ref=PayloadRef(key=key)))
    outcomes: list[Any] = list(read_outcomes_at(started, range(2), stores))
    assert [outcome.result for outcome in outcomes] == [{"large": True}] * 2
