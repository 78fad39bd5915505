"""Collecting outcomes: the log says how each instance ended, the bucket has the params."""

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, Final

from background_jobs.aws.payloads import Payloads
from background_jobs.aws.stores import Stores
from background_jobs.core.events import (
    LOG_PARTITIONS,
    PARTITION_SIZE,
    JobCompleted,
    JobErrored,
    JobOutcome,
    OrchestrationStarted,
    PayloadRef,
)
from background_jobs.core.outcomes import Failure, Success
from background_jobs.core.ranges import InclusiveRange
from background_jobs.core.statuses import State
from background_jobs.core.views.causes import FailureDigest, digest_failures
from background_jobs.core.views.live import indices_in_states

_BATCH: Final = 64
_FETCHERS: Final = 8

_PAGE: Final = 4 * PARTITION_SIZE


def read_all_outcomes(started: OrchestrationStarted, stores: Stores) -> Iterator[Success | Failure]:
    """Yield the outcomes that the log holds now, in the order of the params.

    Large results are fetched some at a time. Raises PayloadNotFound once params or results have expired.
    """
    if not started.total:
        return
    lines = enumerate(stores.payloads.lines(started.params_key))
    events = stores.event_log.read_outcomes(started.orchestration_id, 0, started.total - 1)
    paired = ((event, next(line for index, line in lines if index == event.index)) for event in events)

    def outcome(pair: tuple[JobOutcome, bytes]) -> Success | Failure:
        return outcome_from_event(pair[0], started.job_name, json.loads(pair[1]), stores.payloads)

    with ThreadPoolExecutor(_FETCHERS) as pool:
        while batch := list(islice(paired, _BATCH)):
            is_large = any(isinstance(event, JobCompleted) and event.result_ref for event, _ in batch)
            yield from (pool.map if is_large else map)(outcome, batch)


def read_outcomes_by_state(
    orchestration_id: str, states: Iterable[State], stores: Stores
) -> Iterator[Success | Failure]:
    """Yield the outcomes of the instances that are in one of *states* now, in the order of the params.

    A page of them is in memory at a time. Raises OrchestrationNotFound, or PayloadNotFound once the params
    have expired.
    """
    started = stores.event_log.read_started(orchestration_id)
    indices = iter(indices_in_states(stores.read_model.read_snapshot(orchestration_id), states))
    while page := list(islice(indices, _PAGE)):
        yield from read_outcomes_at(started, page, stores)


def read_outcomes_at(
    started: OrchestrationStarted, indices: Sequence[int], stores: Stores
) -> list[Success | Failure]:
    """Return the outcomes of the instances at *indices* (ascending) that have one, in their order.

    Only the log partitions that hold them are read, and one range of the params.
    """
    if not indices:
        return []
    params = read_params(started, indices[0], indices[-1], stores.payloads)
    return [
        outcome_from_event(event, started.job_name, params[event.index], stores.payloads)
        for event in read_outcome_events(started.orchestration_id, indices, stores)
    ]


def digest(orchestration_id: str, stores: Stores) -> FailureDigest:
    """Return the failures by now, grouped by cause.

    Raises OrchestrationNotFound, or PayloadNotFound once the params have expired.
    """
    started = stores.event_log.read_started(orchestration_id)
    errored = list(indices_in_states(stores.read_model.read_snapshot(orchestration_id), {State.ERRORED}))
    failures = [
        one for one in read_outcome_events(orchestration_id, errored, stores) if isinstance(one, JobErrored)
    ]
    if not failures:
        return FailureDigest(total=started.total, failed=0, causes=[])
    return digest_failures(
        failures, started.total, lambda: enumerate(map(json.loads, stores.payloads.lines(started.params_key)))
    )


def read_outcome_events(
    orchestration_id: str, indices: Sequence[int], stores: Stores
) -> Iterator[JobOutcome]:
    """Yield the outcomes of the instances at *indices* (ascending), from the partitions that hold them."""
    wanted = set(indices)
    partitions: dict[int, list[int]] = {}
    for index in indices:
        partitions.setdefault(LOG_PARTITIONS.number(index), []).append(index)
    return (
        event
        for held in partitions.values()
        for event in stores.event_log.read_outcomes(orchestration_id, held[0], held[-1])
        if event.index in wanted
    )


def read_params(
    started: OrchestrationStarted, first: int, last: int, payloads: Payloads
) -> dict[int, dict[str, Any]]:
    """Return the params of the instances *first* to *last*, by index; the manifest says where they are."""
    shares = [
        (InclusiveRange.parse(share["indices"]), InclusiveRange.parse(share["bytes"]))
        for share in map(json.loads, payloads.lines(started.shares_key))
    ]
    covering = [share for share in shares if share[0].first <= last and share[0].last >= first]
    byte_range = InclusiveRange(covering[0][1].first, covering[-1][1].last)
    lines = payloads.get(started.params_key, str(byte_range)).splitlines()
    numbered = enumerate(lines, start=covering[0][0].first)
    return {index: json.loads(line) for index, line in numbered if first <= index <= last}


def read_all_params(started: OrchestrationStarted, payloads: Payloads) -> Iterable[dict[str, Any]]:
    """Yield the params of every instance, in order. Raises PayloadNotFound."""
    return map(json.loads, payloads.lines(started.params_key)) if started.total else ()


def outcome_from_event(
    event: JobOutcome, job_name: str, params: dict[str, Any], payloads: Payloads
) -> Success | Failure:
    """Return *event* as callers see it, its result fetched where it is in the bucket."""
    common: dict[str, Any] = {
        "orchestration_id": event.orchestration_id,
        "job_name": job_name,
        "job_id": event.job_id,
        "index": event.index,
        "params": params,
        "attempts": event.attempts,
        "started_at": event.started_at,
        "ended_at": event.at,
    }
    if isinstance(event, JobCompleted):
        result = event.result if event.result_ref is None else _fetched(event.result_ref, payloads)
        return Success(**common, result=result)
    return Failure(**common, error=event.error, failed_attempts=event.failed_attempts, log=event.log)


def _fetched(reference: PayloadRef, payloads: Payloads) -> Any:  # noqa: ANN401 -- any JSON
    return json.loads(payloads.get(reference.key, reference.bytes))
