"""The fold: from events, in any order and any number of times, to the read model.

The fold is commutative and idempotent, because each part of the read model is one of these: a maximum, a
minimum, a value that only one event can set, or a count that follows from the ranks of the instances.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Self, assert_never

from background_jobs.core import statuses
from background_jobs.core.events import (
    ClaimAnnounced,
    ContainerEnded,
    ContainerStarted,
    Event,
    InstancesClaimed,
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
from background_jobs.core.limits import PROGRESS_CHARACTERS
from background_jobs.core.progress import Progress, ProgressChunk
from background_jobs.core.read_model import Advance, ReadModel, Summary, Transition
from background_jobs.core.statuses import CHUNKS, StatusChunk


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
                    tags=event.tags, started_at=event.at,
                    started_by=event.by, **event.lineage(),
                )  # fmt: skip
            case OrchestrationCancelled():
                self._summary.update(cancelled_at=event.at, cancelled_by=event.by)
            case OrchestrationCompleted():
                self._summary["completed_at"] = event.at
            case StageSkipped():
                self._summary["next_skipped"] = event.reason
            case ShareDelayed():
                self._choose("delayed_at", max, event.at)
            case RerunRequested() | OrchestrationStalled() | ContainerStarted() | ContainerEnded():
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
            case ClaimAnnounced() | InstancesClaimed():
                pass  # whose an instance is changes nothing of how it stands
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
        chunk = self._chunks.get(number)
        if chunk is None:  # a chunk is too large to be made for every event
            chunk = self._chunks[number] = StatusChunk()
        before = chunk.raise_rank(offset, rank)
        if before is None:
            return
        self._transitions.append(Transition(index, rank, at))
        self._count(before, -1)
        self._count(rank, +1)

    def _advance(self, event: JobProgressed) -> None:
        self._summary["tells_progress"] = True
        number, offset = CHUNKS.locate(event.index)
        chunk = self._progress.setdefault(number, ProgressChunk())
        if chunk.raise_progress(offset, Progress(event.attempt, event.percent)):
            message = event.message[:PROGRESS_CHARACTERS]
            advance = Advance(event.index, event.attempt, event.percent, message, event.at)
            self._advances.append(advance)

    def _count(self, rank: int, change: int) -> None:
        if rank == statuses.COMPLETED:
            self._summary["completed"] += change
        elif rank == statuses.ERRORED:
            self._summary["errored"] += change
        elif statuses.is_running(rank):
            self._summary["running"] += change
        elif statuses.is_backing_off(rank):
            self._summary["backing_off"] += change

    def _choose(
        self, name: str, choose: Callable[[datetime, datetime], datetime], at: datetime | None
    ) -> None:
        """Set field *name* of the summary to the minimum or maximum of itself and *at*."""
        if at is not None:
            before = self._summary[name]
            self._summary[name] = at if before is None else choose(before, at)
