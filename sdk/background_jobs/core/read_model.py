"""The read model: the summary of an orchestration, the chunks of its instances, and what changes in them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from pydantic import AwareDatetime, Field

from background_jobs.core.lineage import Lineage
from background_jobs.core.progress import ProgressChunk
from background_jobs.core.statuses import CHUNKS, WAITING, OrchestrationStatus, StatusChunk


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
    backing_off: int = 0
    """How many of those that do not run wait for their next attempt, for the one before failed."""
    completed: int = 0
    errored: int = 0
    tags: dict[str, str] = Field(default_factory=dict)
    next_skipped: str | None = None
    """Why the next stage was not started; None unless it was skipped."""
    started_at: AwareDatetime | None = None
    started_by: str = ""
    """Who kicked it off; empty where that is not known."""
    first_job_at: AwareDatetime | None = None
    last_outcome_at: AwareDatetime | None = None
    moved_at: AwareDatetime | None = None
    """When an instance last did anything; None before any did."""
    delayed_at: AwareDatetime | None = None
    """When a share last had to wait for its launch for a new reason; None where none ever had."""
    cancelled_at: AwareDatetime | None = None
    cancelled_by: str = ""
    """Who cancelled it; the same."""
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
    def status(self) -> OrchestrationStatus:
        """Return one status for all instances: InProgress until all are final.

        Where one errored it is Errored then, or Cancelled if somebody asked for that.
        """
        if not self.done:
            return OrchestrationStatus.IN_PROGRESS
        if not self.errored:
            return OrchestrationStatus.COMPLETED
        return OrchestrationStatus.ERRORED if self.cancelled_at is None else OrchestrationStatus.CANCELLED

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
    """The changes of one commit, and how many instances were in which state after it."""

    version: int
    running: int
    completed: int
    errored: int
    transitions: tuple[Transition, ...]
    advances: tuple[Advance, ...]
    cancelled_at: datetime | None = None
    """When the orchestration was cancelled; None if it was not by then."""

    @classmethod
    def of_commit(
        cls, summary: Summary, transitions: tuple[Transition, ...], advances: tuple[Advance, ...]
    ) -> Self:
        """Return the item of the commit that stored *summary*."""
        return cls(
            summary.version,
            summary.running,
            summary.completed,
            summary.errored,
            transitions,
            advances,
            summary.cancelled_at,
        )


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
        return chunk.rank(offset) if chunk else WAITING
