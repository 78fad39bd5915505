"""Reading outcomes: the log says how each instance ended, and the bucket has its params."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from heapq import merge
from itertools import islice
from typing import Any, Final

from background_jobs.aws.payloads import Payloads
from background_jobs.aws.stores import Stores
from background_jobs.aws.thread_pool import ThreadPool
from background_jobs.core.causes import cause_id
from background_jobs.core.errors import CauseNotFound, PayloadNotFound, UnreadableEvent
from background_jobs.core.events import (
    JobAttemptFailed,
    JobCompleted,
    JobErrored,
    JobOutcome,
    OrchestrationStarted,
    PayloadRef,
)
from background_jobs.core.outcomes import Failure, Success
from background_jobs.core.statuses import COMPLETED, State, Status
from background_jobs.core.views.instances import STATES, indices_in_states, slice_indices
from background_jobs.core.views.outcomes import FailurePage, FailureView, SuccessPage, SuccessView
from background_jobs.core.views.page import position_of, token_of
from background_jobs.orchestration_service.stored_params import ParamsCopy, ParamsReader
from background_jobs.orchestration_service.watching import Update

OnGone = Callable[[int], None]
"""Called with the index of an instance whose result is not in the bucket any more."""
_BATCH: Final = 64
_FETCHERS: Final = 8
_MOST_RETRYING: Final = 10_000
"""How many instances that wait for their next attempt are grouped; their log is read each time."""


def read_outcomes_by_status(
    orchestration_id: str, status: Status | None, stores: Stores, on_gone: OnGone | None = None
) -> Iterator[Success | Failure]:
    """Yield the outcomes that the read model knows now, in the order of the params; perhaps of one status.

    Where a result is not in the bucket any more, *on_gone* is called with the index, and the next one
    follows. Raises OrchestrationNotFound, or PayloadNotFound once the params have expired, or a result where
    there is no *on_gone*.
    """
    started = stores.event_log.read_started(orchestration_id)
    indices = _read_final_indices(orchestration_id, status, stores)
    events = stores.event_log.for_service(started.service).read_outcomes_at(started.orchestration_id, indices)
    params = ParamsReader(started, stores.payloads)
    return outcomes_from_events(_number(events), started, _reading(params), stores, on_gone)


def read_outcomes_at(
    started: OrchestrationStarted, indices: Iterable[int], stores: Stores
) -> Iterator[Success | Failure]:
    """Yield the outcomes of the instances at *indices* (ascending) that have one, in their order.

    Only the parts of the log and of the params that hold them are read.
    """
    event_log = stores.event_log.for_service(started.service)
    events = event_log.read_outcomes_at(started.orchestration_id, indices)
    return outcomes_from_events(
        _number(events), started, _reading(ParamsReader(started, stores.payloads)), stores
    )


def outcomes_from_events(
    numbered: Iterable[tuple[int, JobOutcome]],
    started: OrchestrationStarted,
    read_params: Callable[[JobOutcome], dict[str, Any]],
    stores: Stores,
    on_gone: OnGone | None = None,
) -> Iterator[Success | Failure]:
    """Yield each event as callers get it, under the index that comes with it, and with its params.

    Large results are fetched some at a time, so a few outcomes are in memory. Raises PayloadNotFound, or
    calls *on_gone* in its place for a result; or UnreadableEvent, after all that can be read.
    """
    unreadable: list[UnreadableEvent] = []
    triples = ((index, event, read_params(event)) for index, event in _as_far_as(numbered, unreadable))

    def to_outcome(triple: tuple[int, JobOutcome, dict[str, Any]]) -> Success | Failure | None:
        index, event, instance_params = triple
        try:
            outcome = outcome_from_event(event, started.job_name, instance_params, stores.payloads)
        except PayloadNotFound:
            if on_gone is None:
                raise
            on_gone(index)
            return None
        return outcome if index == event.index else replace(outcome, index=index)

    with ThreadPool(_FETCHERS) as pool:
        while batch := list(islice(triples, _BATCH)):
            is_large = any(isinstance(event, JobCompleted) and event.result_ref for _, event, _ in batch)
            for outcome in (pool.map if is_large else map)(to_outcome, batch):
                if outcome is not None:
                    yield outcome
    if unreadable:
        raise unreadable[0]


def read_success_page(
    orchestration_id: str, limit: int, next_token: str | None, stores: Stores
) -> SuccessPage:
    """Return a page of the successes by now. Raises OrchestrationNotFound or PayloadNotFound."""
    outcomes, following = _read_page(orchestration_id, Status.COMPLETED, limit, next_token, stores)
    views = [SuccessView.of(outcome) for outcome in outcomes if isinstance(outcome, Success)]
    return SuccessPage(items=views, next_token=following)


def read_failure_page(
    orchestration_id: str, limit: int, next_token: str | None, stores: Stores, *, cause: str | None = None
) -> FailurePage:
    """Return a page of the failures by now, all or those of one cause.

    Raises OrchestrationNotFound, InvalidToken, CauseNotFound or PayloadNotFound.
    """
    outcomes, following = _read_page(orchestration_id, Status.ERRORED, limit, next_token, stores, cause=cause)
    views = [FailureView.of(outcome) for outcome in outcomes if isinstance(outcome, Failure)]
    return FailurePage(items=views, next_token=following)


def read_errors(orchestration_id: str, indices: Iterable[int] | None, stores: Stores) -> Iterator[JobErrored]:
    """Yield the errors of the instances at *indices* (ascending), by default of all that errored by now."""
    if indices is None:
        indices = _read_final_indices(orchestration_id, Status.ERRORED, stores)
    for event in stores.event_log.read_outcomes_at(orchestration_id, indices):
        if isinstance(event, JobErrored):
            yield event


def read_cause_indices(
    orchestration_id: str, cause: str, from_index: int, stores: Stores, *, with_retrying: bool
) -> Iterator[int]:
    """Yield the indices from *from_index* on of the failures by now that have the cause of this id.

    *with_retrying* they are also those that failed for it and wait for their next attempt.

    Raises CauseNotFound, from the beginning, where none has it.
    """
    errored = _read_final_indices(orchestration_id, Status.ERRORED, stores)
    errors = read_errors(orchestration_id, (index for index in errored if index >= from_index), stores)
    attempts = read_retrying(orchestration_id, stores) if with_retrying else ()
    retrying = (attempt for attempt in attempts if attempt.index >= from_index)
    is_found = from_index > 0
    failed: Iterator[JobErrored | JobAttemptFailed] = merge(errors, retrying, key=lambda event: event.index)
    for event in failed:
        if cause_id(event.error) == cause:
            is_found = True
            yield event.index
    if not is_found:
        raise CauseNotFound(orchestration_id, cause)


def read_retrying(orchestration_id: str, stores: Stores) -> Iterable[JobAttemptFailed]:
    """Return the latest failed attempt of each instance that waits for its next one, in their order."""
    model = stores.read_model.read_snapshot(orchestration_id)
    indices = islice(indices_in_states(model, {State.BACKING_OFF}), _MOST_RETRYING)
    attempts = stores.event_log.read_failed_attempts_at(orchestration_id, indices)
    return {attempt.index: attempt for attempt in attempts}.values()


def outcome_from_event(
    event: JobOutcome, job_name: str, params: dict[str, Any], payloads: Payloads
) -> Success | Failure:
    """Return *event* as callers get it, its result fetched where it is in the bucket."""
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
        result = event.result if event.result_ref is None else _fetch_result(event.result_ref, payloads)
        return Success(**common, result_json=result)
    return Failure(**common, error=event.error, failed_attempts=event.failed_attempts, log=event.log)


class NewOutcomes:
    """Reads the outcomes of each update of an orchestration, every outcome once, in any order."""

    def __init__(self, started: OrchestrationStarted, stores: Stores) -> None:
        self._started = started
        self._stores = stores
        self._params = ParamsCopy(started, stores.payloads)
        self._is_read = bytearray(started.total)

    def read(self, update: Update) -> Iterator[Success | Failure]:
        """Yield the outcomes of the instances that ended with *update*, in the order of their indices.

        Raises PayloadNotFound once the params have expired.
        """
        indices: list[int] = []
        for transition in update.transitions:
            if transition.rank >= COMPLETED and not self._is_read[transition.index]:
                self._is_read[transition.index] = True
                indices.append(transition.index)
        event_log = self._stores.event_log.for_service(self._started.service)
        events = event_log.read_outcomes_at(self._started.orchestration_id, sorted(indices))
        return outcomes_from_events(_number(events), self._started, _reading(self._params), self._stores)

    def close(self) -> None:
        """Drop the copy of the params."""
        self._params.close()


def _reading(params: ParamsReader | ParamsCopy) -> Callable[[JobOutcome], dict[str, Any]]:
    return lambda event: params.read(event.index)


def _as_far_as(
    numbered: Iterable[tuple[int, JobOutcome]], unreadable: list[UnreadableEvent]
) -> Iterator[tuple[int, JobOutcome]]:
    """Yield what can be read, and add to *unreadable* why no more can."""
    try:
        yield from numbered
    except UnreadableEvent as end:
        unreadable.append(end)


def _number(events: Iterable[JobOutcome]) -> Iterator[tuple[int, JobOutcome]]:
    return ((event.index, event) for event in events)


def _read_final_indices(orchestration_id: str, status: Status | None, stores: Stores) -> Iterable[int]:
    """Return the indices of the instances that have an outcome by now, perhaps of one status; ascending."""
    states = STATES[Status.COMPLETED] | STATES[Status.ERRORED]
    if status is not None:
        states &= STATES[status]
    return indices_in_states(stores.read_model.read_snapshot(orchestration_id), states)


def _read_page(  # noqa: PLR0913 -- the filters of a page
    orchestration_id: str,
    status: Status,
    limit: int,
    next_token: str | None,
    stores: Stores,
    *,
    cause: str | None = None,
) -> tuple[list[Success | Failure], str | None]:
    started = stores.event_log.read_started(orchestration_id)
    indices, position = _read_final_indices(orchestration_id, status, stores), position_of(next_token)
    if cause is not None:
        indices = read_cause_indices(orchestration_id, cause, position, stores, with_retrying=False)
    page, next_index = slice_indices(indices, position, limit)
    return list(read_outcomes_at(started, page, stores)), token_of(next_index)


def _fetch_result(reference: PayloadRef, payloads: Payloads) -> Any:  # noqa: ANN401 -- any JSON
    return json.loads(payloads.get(reference.key, reference.bytes))
