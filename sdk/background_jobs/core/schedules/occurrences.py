"""What became of a schedule's occurrences, those included that never came."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, assert_never

from pydantic import AwareDatetime, BaseModel, ConfigDict

from background_jobs.core.schedules.definition import ScheduleDefinition
from background_jobs.core.schedules.events import (
    Change,
    OccurrenceEvent,
    OccurrenceQueued,
    OccurrenceSkipped,
    OccurrenceStarted,
    ScheduleDefined,
    ScheduleDeleted,
    SchedulePaused,
    ScheduleResumed,
)
from background_jobs.core.statuses import Status

_GRACE: Final = timedelta(minutes=2)
"""How late an occurrence may come: Scheduler works to the minute, and a function takes its time."""


class RunState(StrEnum):
    """What became of an occurrence."""

    STARTED = "started"
    QUEUED = "queued"
    SKIPPED = "skipped"
    MISSED = "missed"


class ScheduleRun(BaseModel):
    """An occurrence of a schedule, and what became of it."""

    model_config = ConfigDict(frozen=True)

    scheduled_at: AwareDatetime
    state: RunState
    at: AwareDatetime | None = None
    """When that was decided; None for one that was missed."""
    orchestration_id: str | None = None
    """What it kicked off; None unless it was started."""
    status: Status | None = None
    """How that orchestration stands; None where it is not known any more."""
    reason: str = ""
    """Why it did not run, or not yet."""


@dataclass(frozen=True, slots=True)
class Live:
    """A schedule as Scheduler has it."""

    definition: ScheduleDefinition
    paused: bool
    modified_at: datetime
    """When it was last changed, by whomever."""


@dataclass(frozen=True, slots=True)
class Period:
    """A time in which a schedule was active, and its definition then."""

    definition: ScheduleDefinition
    since: datetime
    until: datetime

    def due(self, now: datetime) -> Iterator[datetime]:
        """Yield what should have come by *now*, the latest first."""
        until = min(self.until, now - _GRACE - self.definition.jitter)
        for at in self.definition.timing.before(until):
            if at <= self.since:
                return
            yield at


def periods(changes: Iterable[Change], live: Live | None, now: datetime) -> list[Period]:
    """Return when a schedule was active, as its *changes* (oldest first) and Scheduler tell.

    Where Scheduler has another definition than the last change (the stack was deployed, or the console
    used), it counts from its modification on: what was before cannot be told.
    """
    found: list[Period] = []
    active: tuple[ScheduleDefinition, datetime] | None = None

    def end(at: datetime) -> None:
        if active is not None:
            found.append(Period(*active, at))

    for change in changes:
        end(change.at)
        match change:
            case ScheduleDefined():
                active = None if change.paused else (change.definition, change.at)
            case ScheduleResumed():
                active = change.definition, change.at
            case SchedulePaused() | ScheduleDeleted():
                active = None
            case _:
                assert_never(change)
    if live is not None and (live.paused or active is None or active[0] != live.definition):
        end(live.modified_at)
        active = None if live.paused else (live.definition, live.modified_at)
    end(now)
    return found


def occurrences(
    events: Iterable[OccurrenceEvent], active: Sequence[Period], since: datetime, now: datetime
) -> list[ScheduleRun]:
    """Return what became of each occurrence from *since* on, newest first."""
    found: dict[datetime, ScheduleRun] = {}
    for event in sorted(events, key=lambda event: (isinstance(event, OccurrenceStarted), event.at)):
        found[event.scheduled_at] = run_from_event(event)
    for period in active:
        for at in period.due(now):
            if at < since:
                break
            found.setdefault(at, ScheduleRun(scheduled_at=at, state=RunState.MISSED))
    newest_first = sorted(found.values(), key=lambda run: run.scheduled_at, reverse=True)
    return [run for run in newest_first if run.scheduled_at >= since]


def run_from_event(event: OccurrenceEvent) -> ScheduleRun:
    """Return what *event* tells of its occurrence."""
    match event:
        case OccurrenceStarted():
            return ScheduleRun(
                scheduled_at=event.scheduled_at,
                state=RunState.STARTED,
                at=event.at,
                orchestration_id=event.orchestration_id,
            )
        case OccurrenceQueued():
            reason = "the run before it is still in progress"
            return ScheduleRun(
                scheduled_at=event.scheduled_at, state=RunState.QUEUED, at=event.at, reason=reason
            )
        case OccurrenceSkipped():
            return ScheduleRun(
                scheduled_at=event.scheduled_at, state=RunState.SKIPPED, at=event.at, reason=event.reason
            )
    assert_never(event)
