"""The history of a schedule: what became of each occurrence, including those that were missed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice, takewhile
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
from background_jobs.core.statuses import OrchestrationStatus

_GRACE: Final = timedelta(minutes=2)
"""How late an occurrence may come before it counts as missed: Scheduler works to the minute."""


class RunState(StrEnum):
    """The state of an occurrence: started, or why it was not."""

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
    """When that was decided; None if the occurrence was missed."""
    orchestration_id: str | None = None
    """The orchestration that was kicked off; None unless the occurrence was started."""
    status: OrchestrationStatus | None = None
    """The status of that orchestration; None if it is not known any more."""
    reason: str = ""
    """Why it did not run, or not yet."""


@dataclass(frozen=True, slots=True)
class DeployedSchedule:
    """A schedule as EventBridge Scheduler has it."""

    definition: ScheduleDefinition
    paused: bool
    modified_at: datetime
    """When it was last changed, by the SDK, a deployment or a person."""


@dataclass(frozen=True, slots=True)
class Period:
    """A time in which a schedule was active, and its definition then."""

    definition: ScheduleDefinition
    since: datetime
    until: datetime

    def due(self, now: datetime) -> Iterator[datetime]:
        """Yield the occurrences that should have come by *now*, the latest first."""
        until = min(self.until, now - _GRACE - self.definition.jitter)
        for at in self.definition.timing.before(until):
            if at <= self.since:
                return
            yield at


def active_periods(
    changes: Iterable[Change], deployed: DeployedSchedule | None, now: datetime
) -> list[Period]:
    """Return when a schedule was active, according to its *changes* (oldest first) and to Scheduler.

    Scheduler may have another definition than the last change, because the stack was deployed, or somebody
    used AWS's own console. That definition counts from its modification on; what was due before is not known.
    """
    periods: list[Period] = []
    active: tuple[ScheduleDefinition, datetime] | None = None

    def end(at: datetime) -> None:
        if active is not None:
            periods.append(Period(*active, at))

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
    if deployed is not None and (deployed.paused or active is None or active[0] != deployed.definition):
        end(deployed.modified_at)
        active = None if deployed.paused else (deployed.definition, deployed.modified_at)
    end(now)
    return periods


def latest_due(runs: Iterable[OccurrenceStarted], limit: int) -> list[OccurrenceStarted]:
    """Return those *limit* of *runs* (the last started first) that were due last, the latest first.

    A backfill starts what was due long ago, so the last that were started may not be the last that were due.
    It reads no further than it must: nothing is due after it was started.
    """
    latest: list[OccurrenceStarted] = []
    for run in runs:
        if len(latest) == limit and run.at <= latest[-1].scheduled_at:
            break
        latest = sorted([*latest, run], key=lambda run: run.scheduled_at, reverse=True)[:limit]
    return latest


def list_runs(
    events: Sequence[OccurrenceEvent], periods: Sequence[Period], since: datetime, now: datetime, limit: int
) -> list[ScheduleRun]:
    """Return what became of the last *limit* occurrences, newest first: none from before *since*.

    *events* has the last *limit* of each kind. What was due in one of *periods* (oldest first) without an
    event was missed; while a schedule is paused, nothing is due.
    """
    runs: dict[datetime, ScheduleRun] = {}
    for event in sorted(events, key=lambda event: (isinstance(event, OccurrenceStarted), event.at)):
        runs[event.scheduled_at] = run_from_event(event)
    due = (at for period in reversed(periods) for at in period.due(now))
    for at in islice(takewhile(lambda at: at >= since, due), limit):
        runs.setdefault(at, ScheduleRun(scheduled_at=at, state=RunState.MISSED))
    newest_first = sorted(runs.values(), key=lambda run: run.scheduled_at, reverse=True)
    return [run for run in newest_first if run.scheduled_at >= since][:limit]


def run_from_event(event: OccurrenceEvent) -> ScheduleRun:
    """Return what became of the occurrence of *event*."""
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
