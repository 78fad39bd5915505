"""Closing instances that have no outcome when their container or execution is gone: none stays InProgress."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, Field

from background_jobs.aws.stores import Stores
from background_jobs.core.events import JobError, JobErrored, OrchestrationStarted, PayloadRef
from background_jobs.core.payloads import INLINE_BYTES, bounded
from background_jobs.core.ranges import InclusiveRange
from background_jobs.core.task_failure import task_failure

_OWN_ERRORS: Final = frozenset({"Cancelled", "ExecutionEnded"})
"""Errors that end_orchestration gives; all others are those of Step Functions and ECS."""


class TaskError(BaseModel):
    """The error of a failed task, as Step Functions reports it."""

    error: str = Field(alias="Error")
    cause: str = Field(default="", alias="Cause")


def _parse_indices(value: object) -> object:
    return InclusiveRange.parse(value) if isinstance(value, str) else value


class CloseRequest(BaseModel):
    """A request of the state machine: close a share whose container is gone, or a whole orchestration."""

    orchestration_id: str
    indices: Annotated[InclusiveRange | None, BeforeValidator(_parse_indices)] = None
    """First and last index of the share, given as ``0-249``; None for the whole orchestration."""
    error: TaskError | None = None


def close_unfinished(request: CloseRequest, stores: Stores) -> int:
    """Append an Errored outcome for each instance that has none, and return how many those were.

    Raises OrchestrationNotFound.
    """
    orchestration_id = request.orchestration_id
    if request.indices is None and stores.read_model.read_summary(orchestration_id).all_final:
        return 0
    started = stores.event_log.read_started(orchestration_id)
    if not started.total:
        return 0
    indices = request.indices or InclusiveRange(0, started.total - 1)
    unfinished = stores.event_log.find_unfinished(orchestration_id, indices.first, indices.last)
    if unfinished:
        outcomes = _outcomes(started, unfinished, _reason(request.error), stores)
        raise NotImplementedError(outcomes)  # blocks are appended by ownership
    return len(unfinished)


def _outcomes(
    started: OrchestrationStarted, unfinished: list[int], error: JobError, stores: Stores
) -> Iterator[JobErrored]:
    starts = {
        start.index: start
        for start in stores.event_log.read_starts(started.orchestration_id, unfinished[0], unfinished[-1])
    }
    to_close = set(unfinished)
    byte = 0
    for index, line in enumerate(stores.payloads.lines(started.params_key)):
        length = len(line) + 1
        if index in to_close:
            start = starts.get(index)
            ref = PayloadRef(key=started.params_key, bytes=str(InclusiveRange.at(byte, length)))
            yield JobErrored(
                orchestration_id=started.orchestration_id,
                at=datetime.now(UTC),
                index=index,
                attempts=start.attempt if start else 0,
                started_at=start.at if start else None,
                job_name=started.job_name,
                error=error,
                **({"params": json.loads(line)} if length <= INLINE_BYTES else {"params_ref": ref}),
            )
        byte += length
        if index == unfinished[-1]:
            return


def _reason(failure: TaskError | None) -> JobError:
    if failure is None:
        return JobError(
            type="NotRun",
            message="The execution ended before this instance had an outcome.",
        )
    if failure.error in _OWN_ERRORS:
        return JobError(type=failure.error, message=bounded(failure.cause, 2_000))
    return task_failure(failure.error, failure.cause)
