"""Job instances one by one: how each stands, its outcome, and its event history."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, Final, Self

from pydantic import BaseModel, Field

from background_jobs.core import ids
from background_jobs.core.events import (
    ClaimAnnounced,
    InstancesClaimed,
    JobAttemptFailed,
    JobCompleted,
    JobError,
    JobErrored,
    JobEvent,
    JobProgressed,
    JobStarted,
)
from background_jobs.core.read_model import ReadModel
from background_jobs.core.statuses import (
    CHUNKS,
    State,
    Status,
    StatusChunk,
    attempt_of,
    state_of,
    status_of,
)
from background_jobs.core.views.event_history import Launch
from background_jobs.core.views.later_events import LaterEvents
from background_jobs.core.views.page import Page

STATES: Final[dict[Status, frozenset[State]]] = {
    Status.IN_PROGRESS: frozenset({State.WAITING, State.RUNNING, State.BACKING_OFF}),
    Status.COMPLETED: frozenset({State.COMPLETED}),
    Status.ERRORED: frozenset({State.ERRORED}),
}
"""The states that a job instance of each status may be in."""


class InstanceView(BaseModel):
    """How one job instance stands."""

    index: int
    job_id: str
    status: Status
    state: State
    attempt: int | None = Field(description="The attempt that runs or failed; null once it is final.")

    @classmethod
    def of(cls, orchestration_id: str, index: int, rank: int) -> Self:
        """Return the view of the instance at *index*, whose status has the rank *rank*."""
        return cls(
            index=index,
            job_id=ids.job_id(orchestration_id, index),
            status=status_of(rank),
            state=state_of(rank),
            attempt=attempt_of(rank) or None,
        )


class InstancePage(Page[InstanceView]):
    """A page of instances, in the order of their indices."""


class InstanceEvent(BaseModel):
    """An event in the history of a job instance."""

    at: datetime
    type: str
    attempt: int | None = None
    detail: str = ""
    traceback: str = Field(default="", description="Of an attempt that another one followed.")
    started_at: datetime | None = Field(default=None, description="When the attempt of an outcome began.")
    retry_at: datetime | None = Field(default=None, description="When the attempt after a failed one is due.")

    @classmethod
    def of(cls, event: JobEvent) -> Self:
        """Return the view of *event*."""
        return cls(at=event.at, type=event.type, **_describe(event))


class InstanceDetail(BaseModel):
    """One job instance: how it stands, its params, its outcome and its event history."""

    instance: InstanceView
    params: dict[str, Any]
    result: Any = None
    error: JobError | None = None
    log: str
    containers: list[Launch] = Field(
        default=[], description="The launches of the containers that had it; the one that has it comes last."
    )
    events: list[InstanceEvent]
    later_events: list[LaterEvents] = Field(
        default=[], description="What a later release wrote of it, which is not shown."
    )


def indices_in_states(model: ReadModel, states: Iterable[State]) -> Iterator[int]:
    """Yield the indices of the instances of *model* that are in one of *states*, ascending."""
    accepted, total = frozenset(states), model.summary.total or 0
    for number in range(CHUNKS.count(total)):
        first = CHUNKS.index(number)
        chunk = model.chunks.get(number, StatusChunk())
        yield from (first + offset for offset in chunk.offsets(accepted, total - first))


def slice_indices(indices: Iterable[int], from_index: int, limit: int) -> tuple[list[int], int | None]:
    """Return the first *limit* of *indices* (ascending) from *from_index* on, and the index after them.

    >>> slice_indices([1, 4, 6, 9], from_index=2, limit=2)
    ([4, 6], 9)
    """
    page = list(islice((index for index in indices if index >= from_index), limit + 1))
    return page[:limit], page[limit] if len(page) > limit else None


def _describe(event: JobEvent) -> dict[str, Any]:  # noqa: PLR0911 -- a description for each event
    match event:
        case JobStarted():
            return {"attempt": event.attempt}
        case JobAttemptFailed():
            return {
                "attempt": event.attempt,
                "detail": f"{event.error.type}: {event.error.message}",
                "traceback": event.error.traceback,
                "retry_at": event.retry_at,
            }
        case JobProgressed():
            return {"attempt": event.attempt, "detail": f"{event.percent} % {event.message}".strip()}
        case JobErrored():
            return {
                "attempt": event.attempts,
                "detail": f"{event.error.type}: {event.error.message}",
                "started_at": event.started_at,
            }
        case JobCompleted():
            detail = {"detail": f"a copy in the container of share {event.hedged_by} was done first"}
            hedged = {} if event.hedged_by is None else detail
            return {"attempt": event.attempts, "started_at": event.started_at, **hedged}
        case InstancesClaimed():
            return {"detail": f"moved to the container of share {event.share}, which was done with its own"}
        case ClaimAnnounced():
            return {"detail": f"share {event.share} is to take over instances {event.first} to {event.last}"}
