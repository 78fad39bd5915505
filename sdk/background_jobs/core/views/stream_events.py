"""The server-sent events of an orchestration's stream."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from background_jobs.core import ids
from background_jobs.core.progress import ProgressChunk
from background_jobs.core.read_model import Advance, FeedItem, ReadModel, Summary, Transition
from background_jobs.core.statuses import (
    CHUNKS,
    LETTERS,
    State,
    Status,
    StatusChunk,
    attempt_of,
    state_of,
    status_of,
)
from background_jobs.core.views.orchestration import Counts, OrchestrationView

SNAPSHOT: Final = "snapshot"
TRANSITIONS: Final = "transitions"
PROGRESS: Final = "progress"
COMPLETED: Final = "completed"
HEARTBEAT: Final = "heartbeat"
"""The names of the events of a stream; a heartbeat says only that the connection lives."""
HEARTBEAT_SECONDS: Final = 15


class TransitionView(BaseModel):
    """The change of one job instance to another state."""

    model_config = ConfigDict(frozen=True)

    index: int
    job_id: str
    status: Status
    state: State
    attempt: int | None = Field(description="The attempt that runs or failed; null once it is final.")
    at: AwareDatetime

    @classmethod
    def of(cls, orchestration_id: str, transition: Transition) -> Self:
        """Return the view of *transition*."""
        rank = transition.rank
        return cls(
            index=transition.index,
            job_id=ids.job_id(orchestration_id, transition.index),
            status=status_of(rank),
            state=state_of(rank),
            attempt=attempt_of(rank) or None,
            at=transition.at,
        )


class InstanceProgress(BaseModel):
    """The progress that a running job instance reported."""

    model_config = ConfigDict(frozen=True)

    index: int
    job_id: str
    attempt: int
    percent: int
    message: str = ""
    at: AwareDatetime | None = Field(default=None, description="Null in a snapshot.")

    @classmethod
    def of(cls, orchestration_id: str, advance: Advance) -> Self:
        """Return the view of *advance*."""
        return cls(
            index=advance.index,
            job_id=ids.job_id(orchestration_id, advance.index),
            attempt=advance.attempt,
            percent=advance.percent,
            message=advance.message,
            at=advance.at,
        )


class SnapshotEvent(BaseModel):
    """The first event of a stream: the whole orchestration at one version."""

    model_config = ConfigDict(frozen=True)

    orchestration: OrchestrationView
    statuses: str = Field(
        description="One letter an instance, in their order: w waiting, r running, b backing off, "
        "C Completed, E Errored."
    )
    progress: list[InstanceProgress]

    @classmethod
    def of(cls, model: ReadModel, now: datetime) -> Self:
        """Return the snapshot of *model*, which must hold all its chunks."""
        summary = model.summary
        total = summary.total or 0
        chunks = [model.chunks.get(number, StatusChunk()) for number in range(CHUNKS.count(total))]
        statuses = "".join(chunk.letters() for chunk in chunks)[:total]
        return cls(
            orchestration=OrchestrationView.of(summary, now),
            statuses=statuses,
            progress=list(_progress(model, statuses)) if model.progress else [],
        )


class TransitionsEvent(BaseModel):
    """The transitions of one version, perhaps none, and how the orchestration stood after it."""

    model_config = ConfigDict(frozen=True)

    transitions: list[TransitionView]
    counts: Counts
    cancelled_at: AwareDatetime | None
    eta_seconds: float | None

    @classmethod
    def of(cls, item: FeedItem, summary: Summary, now: datetime) -> Self:
        """Return the event of *item*, a version of the orchestration of *summary*."""
        then_summary = summary.model_copy(
            update={"running": item.running, "completed": item.completed, "errored": item.errored}
        )
        view = OrchestrationView.of(then_summary, now)
        transitions = [
            TransitionView.of(summary.orchestration_id, transition) for transition in item.transitions
        ]
        return cls(
            transitions=transitions,
            counts=view.counts,
            cancelled_at=item.cancelled_at,
            eta_seconds=view.eta_seconds,
        )


class ProgressEvent(BaseModel):
    """The progress that running instances reported in one version."""

    model_config = ConfigDict(frozen=True)

    progress: list[InstanceProgress]

    @classmethod
    def of(cls, item: FeedItem, orchestration_id: str) -> Self:
        """Return the event of *item*, a version of an orchestration."""
        return cls(progress=[InstanceProgress.of(orchestration_id, advance) for advance in item.advances])


class CompletedEvent(BaseModel):
    """The last event of a stream."""

    model_config = ConfigDict(frozen=True)

    orchestration: OrchestrationView


def _progress(model: ReadModel, statuses: str) -> Iterable[InstanceProgress]:
    running = LETTERS[1]
    for index, letter in enumerate(statuses):
        if letter == running:
            number, offset = CHUNKS.locate(index)
            attempt, percent = model.progress.get(number, ProgressChunk()).progress(offset)
            if attempt:
                job_id = ids.job_id(model.summary.orchestration_id, index)
                yield InstanceProgress(index=index, job_id=job_id, attempt=attempt, percent=percent)
