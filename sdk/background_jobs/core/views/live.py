"""What travels to those who watch: an orchestration as of now, and the events of its stream."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from background_jobs.core import ids
from background_jobs.core.fold import Advance, FeedItem, ReadModel, Summary, Transition
from background_jobs.core.lineage import Lineage
from background_jobs.core.progress import ProgressChunk, eta_seconds
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

SNAPSHOT: Final = "snapshot"
TRANSITIONS: Final = "transitions"
PROGRESS: Final = "progress"
COMPLETED: Final = "completed"
HEARTBEAT: Final = "heartbeat"
"""The names of the events of a stream; a heartbeat says nothing but that the connection lives."""
HEARTBEAT_SECONDS: Final = 15


class _Live(BaseModel):
    model_config = ConfigDict(frozen=True)


class Counts(_Live):
    """How many instances are in which state; they add up to the total."""

    waiting: int
    running: int
    completed: int
    errored: int


class OrchestrationView(Lineage):
    """An orchestration as of now."""

    orchestration_id: str
    version: int = Field(description="Rises with every change; the id of stream events.")
    job_name: str
    service: str
    status: Status
    cancelled: bool
    total: int
    counts: Counts
    tags: dict[str, str]
    next_skipped: str | None = Field(
        description="Why the stage that was to follow was not started; null unless that is so."
    )
    started_at: AwareDatetime | None
    first_job_at: AwareDatetime | None
    last_outcome_at: AwareDatetime | None
    cancelled_at: AwareDatetime | None
    completed_at: AwareDatetime | None
    eta_seconds: float | None = Field(description="What the rest takes at the rate so far; null if unknown.")

    @classmethod
    def of(cls, summary: Summary, now: datetime) -> Self:
        """Return *summary* as of *now*."""
        return cls(
            **{name: getattr(summary, name) for name in _COPIED},
            **summary.lineage(),
            cancelled=summary.cancelled_at is not None,
            total=summary.total or 0,
            counts=Counts(
                waiting=summary.waiting,
                running=summary.running,
                completed=summary.completed,
                errored=summary.errored,
            ),
            eta_seconds=_eta(summary, now),
        )


_COPIED: Final = (
    "orchestration_id",
    "version",
    "job_name",
    "service",
    "status",
    "tags",
    "next_skipped",
    "started_at",
    "first_job_at",
    "last_outcome_at",
    "cancelled_at",
    "completed_at",
)


class Move(_Live):
    """A job instance that rose to another state."""

    index: int
    job_id: str
    status: Status
    state: State
    attempt: int | None = Field(description="The attempt that runs or failed; null once it is final.")
    at: AwareDatetime

    @classmethod
    def of(cls, orchestration_id: str, transition: Transition) -> Self:
        """Return *transition* as it travels."""
        rank = transition.rank
        return cls(
            index=transition.index,
            job_id=ids.job_id(orchestration_id, transition.index),
            status=status_of(rank),
            state=state_of(rank),
            attempt=attempt_of(rank) or None,
            at=transition.at,
        )


class InstanceProgress(_Live):
    """How far a running job instance says that it is."""

    index: int
    job_id: str
    attempt: int
    percent: int
    message: str = ""
    at: AwareDatetime | None = Field(default=None, description="Null in a snapshot.")

    @classmethod
    def of(cls, orchestration_id: str, advance: Advance) -> Self:
        """Return *advance* as it travels."""
        return cls(
            index=advance.index,
            job_id=ids.job_id(orchestration_id, advance.index),
            attempt=advance.attempt,
            percent=advance.percent,
            message=advance.message,
            at=advance.at,
        )


class Snapshot(_Live):
    """The first event of a stream: everything as of one version."""

    orchestration: OrchestrationView
    statuses: str = Field(
        description="One letter an instance, in their order: w waiting, r running, b backing off, "
        "C Completed, E Errored."
    )
    progress: list[InstanceProgress]

    @classmethod
    def of(cls, model: ReadModel, now: datetime) -> Self:
        """Return *model*, which holds all its chunks, as it travels."""
        summary = model.summary
        total = summary.total or 0
        chunks = [model.chunks.get(number, StatusChunk()) for number in range(CHUNKS.count(total))]
        statuses = "".join(chunk.letters() for chunk in chunks)[:total]
        return cls(
            orchestration=OrchestrationView.of(summary, now),
            statuses=statuses,
            progress=list(_progress(model, statuses)) if model.progress else [],
        )


class Transitions(_Live):
    """The instances that moved in one version, if any did, and how the whole stood after it."""

    transitions: list[Move]
    counts: Counts
    cancelled_at: AwareDatetime | None
    eta_seconds: float | None

    @classmethod
    def of(cls, item: FeedItem, summary: Summary, now: datetime) -> Self:
        """Return the moves of *item*, a version of the orchestration of *summary*."""
        then = summary.model_copy(
            update={"running": item.running, "completed": item.completed, "errored": item.errored}
        )
        view = OrchestrationView.of(then, now)
        moves = [Move.of(summary.orchestration_id, transition) for transition in item.transitions]
        return cls(
            transitions=moves,
            counts=view.counts,
            cancelled_at=item.cancelled_at,
            eta_seconds=view.eta_seconds,
        )


class ProgressNews(_Live):
    """The running instances that said in one version how far they are."""

    progress: list[InstanceProgress]

    @classmethod
    def of(cls, item: FeedItem, orchestration_id: str) -> Self:
        """Return the advances of *item* as they travel."""
        return cls(progress=[InstanceProgress.of(orchestration_id, advance) for advance in item.advances])


class Completed(_Live):
    """The last event of a stream."""

    orchestration: OrchestrationView


def indices_in_states(model: ReadModel, states: Iterable[State]) -> Iterable[int]:
    """Yield the indices of the instances of *model* that are in one of *states*, in their order."""
    wanted, total = frozenset(states), model.summary.total or 0
    for number in range(CHUNKS.count(total)):
        chunk = model.chunks.get(number, StatusChunk())
        for offset in chunk.offsets(wanted):
            index = CHUNKS.index(number, offset)
            if index < total:
                yield index


def _progress(model: ReadModel, statuses: str) -> Iterable[InstanceProgress]:
    running = LETTERS[1]
    for index, letter in enumerate(statuses):
        if letter == running:
            number, offset = CHUNKS.locate(index)
            attempt, percent = model.progress.get(number, ProgressChunk()).progress(offset)
            if attempt:
                job_id = ids.job_id(model.summary.orchestration_id, index)
                yield InstanceProgress(index=index, job_id=job_id, attempt=attempt, percent=percent)


def _eta(summary: Summary, now: datetime) -> float | None:
    if summary.first_job_at is None or summary.total is None or summary.all_final:
        return None
    running_for = max(0.0, (now - summary.first_job_at).total_seconds())
    return eta_seconds(summary.completed + summary.errored, summary.total, running_for)
