"""Whether an occurrence that is due is started, queued or skipped, given the backlog of its schedule."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from background_jobs.core import ids
from background_jobs.core.schedules.definition import Overlap, ScheduleDefinition
from background_jobs.core.schedules.events import (
    OccurrenceEvent,
    OccurrenceQueued,
    OccurrenceSkipped,
    OccurrenceStarted,
)

LONGEST_QUEUE: Final = 100
"""The most occurrences that may wait; a schedule that falls further behind will not catch up."""


@dataclass(frozen=True, slots=True)
class ScheduleBacklog:
    """The latest runs of a schedule, and its queue."""

    runs: Sequence[OccurrenceStarted] = ()
    """The latest runs, newest first."""
    in_progress: AbstractSet[str] = frozenset()
    """The ids of their orchestrations that are not done."""
    queue: Sequence[OccurrenceQueued] = ()
    """The occurrences with a place after the last that was taken, in order."""
    emptied_at: datetime | None = None
    """When the schedule was last deleted, and its queue emptied."""

    @property
    def waiting(self) -> Sequence[OccurrenceQueued]:
        """Return the occurrences that run once nothing is in progress, in order."""
        return [queued for queued in self.queue if self.emptied_at is None or queued.at > self.emptied_at]

    def find(self, scheduled_at: datetime) -> OccurrenceEvent | None:
        """Return what became of an occurrence, if the backlog has it."""
        events: list[OccurrenceEvent] = [*self.runs, *self.waiting]
        return next((event for event in events if event.scheduled_at == scheduled_at), None)

    @property
    def last_place(self) -> int:
        """Return the last place of the queue that was given away."""
        return self.queue[-1].place if self.queue else self.taken

    @property
    def taken(self) -> int:
        """Return the last place of the queue whose turn has come."""
        return max((run.place for run in self.runs), default=0)


def decide_occurrence(
    definition: ScheduleDefinition,
    scheduled_at: datetime,
    backlog: ScheduleBacklog,
    overlap: Overlap,
    now: datetime,
) -> OccurrenceEvent:
    """Return the start, queueing or skipping of the occurrence *scheduled_at*, which is not decided yet."""
    name = definition.name
    current = next((run for run in backlog.runs if run.orchestration_id in backlog.in_progress), None)
    if overlap is Overlap.SKIP and current:
        reason = f"the run of {current.scheduled_at:%Y-%m-%d %H:%M} UTC was still in progress"
        return OccurrenceSkipped(schedule=name, at=now, scheduled_at=scheduled_at, reason=reason)
    if overlap is Overlap.QUEUE and (current or backlog.waiting):
        if len(backlog.waiting) >= LONGEST_QUEUE:
            reason = f"{LONGEST_QUEUE} occurrences were waiting already"
            return OccurrenceSkipped(schedule=name, at=now, scheduled_at=scheduled_at, reason=reason)
        place = backlog.last_place + 1
        return OccurrenceQueued(
            schedule=name, at=now, scheduled_at=scheduled_at, place=place, definition=definition
        )
    return next_run(name, scheduled_at, backlog, backlog.taken, now)


def next_run(
    name: str, scheduled_at: datetime, backlog: ScheduleBacklog, place: int, now: datetime
) -> OccurrenceStarted:
    """Return the start of the next run of schedule *name*; it takes the queue up to *place*."""
    return OccurrenceStarted(
        schedule=name,
        at=now,
        scheduled_at=scheduled_at,
        number=backlog.runs[0].number + 1 if backlog.runs else 1,
        orchestration_id=ids.occurrence_id(name, scheduled_at),
        place=place,
    )
