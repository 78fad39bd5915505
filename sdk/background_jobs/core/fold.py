"""The fold: from events, in any order and any number of times, to the read model.

The fold is commutative and idempotent, because each part of the read model is one of these: a maximum, a
minimum, a value that only one event can set, or a count that follows from the ranks of the instances.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Self, assert_never

from pydantic import AwareDatetime, Field

from background_jobs.core import statuses
from background_jobs.core.events import (
    ContainerEnded,
    ContainerStarted,
    Event,
    JobAttemptFailed,
    JobCompleted,
    JobErrored,
    JobEvent,
    JobProgressed,
    JobStarted,
    OrchestrationCancelled,
    OrchestrationCompleted,
    OrchestrationEvent,
    OrchestrationStalled,
    OrchestrationStarted,
    RerunRequested,
    ShareDelayed,
    StageSkipped,
)
from background_jobs.core.lineage import Lineage
from background_jobs.core.progress import Progress, ProgressChunk
from background_jobs.core.statuses import CHUNKS, Status, StatusChunk


class Summary(Lineage):
    """An orchestration at a glance; one item, however many instances it has."""

    orchestration_id: str
    version: int = 0
    """How many batches changed the read model; also the number of its feed items."""
    job_name: str = ""
    service: str = ""
    total: int | None = None
    """None until OrchestrationStarted was folded."""
    running: int = 0
    completed: int = 0
    errored: int = 0
    tags: dict[str, str] = Field(default_factory=dict)
    next_skipped: str | None = None
    """Why the next stage was not started; None unless it was skipped."""
    started_at: AwareDatetime | None = None
    first_job_at: AwareDatetime | None = None
    last_outcome_at: AwareDatetime | None = None
    moved_at: AwareDatetime | None = None
    """When an instance last did anything; None before any did."""
    cancelled_at: AwareDatetime | None = None
    tells_progress: bool = False
    """Whether an instance ever reported its progress."""
    completed_at: AwareDatetime | None = None
    """When the last outcome was reached; None until all of them are."""

    @property
    def waiting(self) -> int:
        """Return how many instances neither run nor have an outcome."""
        return (self.total or 0) - self.running - self.completed - self.errored

    @property
    def all_final(self) -> bool:
        """Tell whether every instance has its outcome."""
        return self.total is not None and self.completed + self.errored == self.total

    @property
    def status(self) -> Status:
        """Return one status for all instances: InProgress until all are final, then Errored if one is."""
        if not self.done:
            return Status.IN_PROGRESS
        return Status.ERRORED if self.errored else Status.COMPLETED

    @property
    def done(self) -> bool:
        """Tell whether the orchestration has completed."""
        return self.completed_at is not None

    @property
    def next_stage_expected(self) -> bool:
        """Tell whether every instance has its outcome, and a next stage starts or has started."""
        return self.all_final and self.stages_left > 0 and self.next_skipped is None


@dataclass(frozen=True, slots=True)
class Transition:
    """A job instance that rose to *rank*, and when."""

    index: int
    rank: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Advance:
    """A running job instance that reported its progress, and when."""

    index: int
    attempt: int
    percent: int
    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class FeedItem:
    """What one commit changed, and how many instances were in which state after it."""

    version: int
    running: int
    completed: int
    errored: int
    transitions: tuple[Transition, ...]
    advances: tuple[Advance, ...]
    cancelled_at: datetime | None = None
    """When the orchestration was cancelled; None if it was not by then."""


@dataclass(frozen=True, slots=True)
class ReadModel:
    """A summary, and the chunks that were read; an absent chunk is all WAITING, or without any progress."""

    summary: Summary
    chunks: Mapping[int, StatusChunk] = field(default_factory=dict)
    progress: Mapping[int, ProgressChunk] = field(default_factory=dict)

    def rank(self, index: int) -> int:
        """Return the rank of instance *index*."""
        number, offset = CHUNKS.locate(index)
        chunk = self.chunks.get(number)
        return chunk.rank(offset) if chunk else statuses.WAITING


@dataclass(frozen=True, slots=True)
class FoldResult:
    """The read model after a batch of events, and what the batch changed."""

    model: ReadModel
    transitions: tuple[Transition, ...]
    advances: tuple[Advance, ...]
    changed: bool


class ChunkNumbers(NamedTuple):
    """The numbers of the chunks that folding some events may change."""

    statuses: frozenset[int]
    progress: frozenset[int]

    @classmethod
    def of_events(cls, events: Iterable[Event]) -> Self:
        """Return the chunks that folding *events* may change."""
        with_ranks: set[int] = set()
        with_progress: set[int] = set()
        for event in events:
            if isinstance(event, JobEvent):
                changing = with_progress if isinstance(event, JobProgressed) else with_ranks
                changing.add(CHUNKS.number(event.index))
        return cls(frozenset(with_ranks), frozenset(with_progress))

    @property
    def total(self) -> int:
        """Return how many chunks those are."""
        return len(self.statuses) + len(self.progress)


def fold(model: ReadModel, events: Iterable[Event]) -> FoldResult:
    """Fold *events*, all of one orchestration, into *model*, which must hold every chunk they touch.

    The summary's version is left as it is: it counts commits, and the caller commits.
    """
    folding = _Folding(model)
    for event in events:
        folding.apply(event)
    return folding.result()


class _Folding:
    """A fold under way; mutable so that a batch of a thousand events copies each chunk once."""

    def __init__(self, model: ReadModel) -> None:
        self._before = model.summary
        self._summary = model.summary.model_dump()
        self._chunks = {number: chunk.copy() for number, chunk in model.chunks.items()}
        self._progress = {number: chunk.copy() for number, chunk in model.progress.items()}
        self._transitions: list[Transition] = []
        self._advances: list[Advance] = []

    def apply(self, event: Event) -> None:
        if isinstance(event, JobEvent):
            self._choose("moved_at", max, event.at)
            self._apply_to_instance(event)
        else:
            self._apply_to_orchestration(event)

    def _apply_to_orchestration(self, event: OrchestrationEvent) -> None:
        match event:
            case OrchestrationStarted():
                self._summary.update(
                    job_name=event.job_name, service=event.service, total=event.total,
                    tags=event.tags, started_at=event.at, **event.lineage(),
                )  # fmt: skip
            case OrchestrationCancelled():
                self._summary["cancelled_at"] = event.at
            case OrchestrationCompleted():
                self._summary["completed_at"] = event.at
            case StageSkipped():
                self._summary["next_skipped"] = event.reason
            case RerunRequested() | OrchestrationStalled():
                pass
            case ContainerStarted() | ContainerEnded() | ShareDelayed():
                pass
            case _:
                assert_never(event)

    def _apply_to_instance(self, event: JobEvent) -> None:
        match event:
            case JobStarted():
                self._raise(event.index, statuses.running(event.attempt), event.at)
                self._choose("first_job_at", min, event.at)
            case JobAttemptFailed():
                self._raise(event.index, statuses.waiting_again(event.attempt), event.at)
            case JobProgressed():
                self._advance(event)
            case JobCompleted() | JobErrored():
                rank = statuses.COMPLETED if isinstance(event, JobCompleted) else statuses.ERRORED
                self._raise(event.index, rank, event.at)
                self._choose("first_job_at", min, event.started_at)
                self._choose("last_outcome_at", max, event.at)
            case _:
                assert_never(event)

    def result(self) -> FoldResult:
        summary = Summary.model_construct(**self._summary)
        return FoldResult(
            ReadModel(summary, self._chunks, self._progress),
            tuple(self._transitions),
            tuple(self._advances),
            changed=bool(self._transitions or self._advances) or summary != self._before,
        )

    def _raise(self, index: int, rank: int, at: datetime) -> None:
        number, offset = CHUNKS.locate(index)
        before = self._chunks.setdefault(number, StatusChunk()).raised(offset, rank)
        if before is None:
            return
        self._transitions.append(Transition(index, rank, at))
        self._count(before, -1)
        self._count(rank, +1)

    def _advance(self, event: JobProgressed) -> None:
        self._summary["tells_progress"] = True
        number, offset = CHUNKS.locate(event.index)
        chunk = self._progress.setdefault(number, ProgressChunk())
        if chunk.raised(offset, Progress(event.attempt, event.percent)):
            advance = Advance(event.index, event.attempt, event.percent, event.message, event.at)
            self._advances.append(advance)

    def _count(self, rank: int, change: int) -> None:
        if rank == statuses.COMPLETED:
            self._summary["completed"] += change
        elif rank == statuses.ERRORED:
            self._summary["errored"] += change
        elif statuses.is_running(rank):
            self._summary["running"] += change

    def _choose(
        self, name: str, choose: Callable[[datetime, datetime], datetime], at: datetime | None
    ) -> None:
        """Set field *name* of the summary to the minimum or maximum of itself and *at*."""
        if at is not None:
            before = self._summary[name]
            self._summary[name] = at if before is None else choose(before, at)
