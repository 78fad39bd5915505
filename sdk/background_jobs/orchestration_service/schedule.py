"""The handle of a schedule: what it did, what it will do, and how to stop and start it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Final, Literal
from zoneinfo import ZoneInfo

from background_jobs.aws.scheduler import Scheduler
from background_jobs.aws.stores import Stores
from background_jobs.core.errors import InvalidBackfill, ScheduleDeclared, ScheduleEnded
from background_jobs.core.limits import BACKFILL_OCCURRENCES, OCCURRENCES_SHOWN
from background_jobs.core.schedules.definition import Overlap, ScheduleDefinition
from background_jobs.core.schedules.events import (
    OccurrenceEvent,
    OccurrenceSkipped,
    ScheduleDeleted,
    SchedulePaused,
    ScheduleResumed,
)
from background_jobs.core.schedules.occurrences import (
    DeployedSchedule,
    RunState,
    ScheduleRun,
    active_periods,
    latest_due,
    list_runs,
    run_from_event,
)
from background_jobs.core.schedules.overlap import ScheduleBacklog
from background_jobs.core.schedules.timing import Timing
from background_jobs.core.statuses import OrchestrationStatus
from background_jobs.core.views.schedule import (
    BackfillPreview,
    ScheduleOccurrences,
    ScheduleState,
    ScheduleView,
)
from background_jobs.orchestration_service.occurrences import UNFOLDED, OccurrenceRunner
from background_jobs.orchestration_service.pipeline_runs import combine_statuses, read_stages

_LEAST: Final = timedelta(microseconds=1)


class Schedule:
    """A schedule of the environment; any process can re-attach to it by its name."""

    def __init__(  # noqa: PLR0913, PLR0917 -- the services that it calls
        self,
        definition: ScheduleDefinition,
        state: ScheduleState,
        stores: Stores,
        scheduler: Scheduler,
        occurrence_runner: OccurrenceRunner,
        clock: Callable[[], datetime],
    ) -> None:
        self.name = definition.name
        self.definition = definition
        self.state = state
        """The state when the handle was made, or when it was last changed through the handle."""
        self._stores = stores
        self._scheduler = scheduler
        self._occurrence_runner = occurrence_runner
        self._clock = clock

    def __repr__(self) -> str:
        return f"Schedule(name={self.name!r}, state={str(self.state)!r})"

    def view(self) -> ScheduleView:
        """Return the schedule as others see it, with its next occurrences."""
        return ScheduleView.of(self.definition, self.state, self.next_runs())

    def pause(self) -> None:
        """Make nothing due until `resume`; occurrences in the queue still run. Raises ScheduleEnded."""
        deployed = self._require_deployed()
        if not deployed.paused:
            now = self._clock()
            self._scheduler.set_paused(deployed.definition, now, paused=True)
            self._stores.schedule_log.append(
                SchedulePaused(schedule=self.name, at=now, by=self._stores.actor)
            )
        self.state = ScheduleState.PAUSED

    def resume(self) -> None:
        """Go on after `pause`; occurrences of the time between do not run. Raises ScheduleEnded."""
        deployed = self._require_deployed()
        if deployed.paused:
            now = self._clock()
            self._scheduler.set_paused(deployed.definition, now, paused=False)
            resumed = ScheduleResumed(
                schedule=self.name, at=now, definition=deployed.definition, by=self._stores.actor
            )
            self._stores.schedule_log.append(resumed)
        self.state = ScheduleState.ACTIVE

    def delete(self) -> None:
        """Delete the schedule and empty its queue; runs in progress go on, and the history stays.

        Deleting twice is harmless. Raises ScheduleDeclared if the stack declares it.
        """
        deployed = self._scheduler.get(self.name)
        definition = deployed.definition if deployed else self.definition
        if definition.declared:
            raise ScheduleDeclared(self.name)
        self._scheduler.delete(self.name)
        self.state = ScheduleState.OVER
        changes = self._stores.schedule_log.read_changes(self.name)
        if deployed is None and changes and isinstance(changes[-1], ScheduleDeleted):
            return
        self._empty_queue()
        if definition.params_key:
            self._stores.payloads.remove(definition.params_key)

    def run_now(self, *, force: bool = False) -> ScheduleRun:
        """Run the job now, as if it were due, and return what became of the occurrence.

        With *force* it runs beside a run that is still in progress, whatever the schedule's overlap. Paused
        schedules run as well. Raises ScheduleEnded.
        """
        if self.state is ScheduleState.OVER:
            raise ScheduleEnded(self.name)
        overlap = Overlap.ALLOW if force else self.definition.overlap
        event = self._occurrence_runner.run(self.definition, self._clock(), overlap)
        return self._with_statuses([run_from_event(event)])[0]

    def next_runs(self, n: int = 5) -> list[datetime]:
        """Return when the schedule is due next, up to *n* times, in its own time zone and without jitter."""
        if self.state is not ScheduleState.ACTIVE:
            return []
        zone = ZoneInfo(self.definition.timing.timezone)
        return [at.astimezone(zone) for at in islice(self.definition.timing.after(self._clock()), n)]

    def occurrences(self, from_: datetime, to: datetime) -> ScheduleOccurrences:
        """Return when the schedule is due from *from_* on and before *to*; never while it is paused."""
        timing = self.definition.timing
        after = _due_from(from_, timing) if self.state is ScheduleState.ACTIVE else iter(())
        due = list(islice(takewhile(lambda at: at < to, after), OCCURRENCES_SHOWN + 1))
        return ScheduleOccurrences(
            schedule=self.name,
            job_name=self.definition.job_name,
            service=self.definition.service,
            due=timing.expression,
            timezone=timing.timezone,
            occurrences=tuple(due[:OCCURRENCES_SHOWN]),
            has_more=len(due) > OCCURRENCES_SHOWN,
        )

    def runs(self, limit: int = 100) -> list[ScheduleRun]:
        """Return what became of the last *limit* occurrences, newest first.

        An occurrence was started (the run has the status of its orchestration), waits in the queue, was
        skipped for a reason, or was missed: it was due by the definition, and nothing came of it.
        """
        now, log = self._clock(), self._stores.schedule_log
        events: list[OccurrenceEvent] = [
            *latest_due(log.read_runs(self.name), limit),
            *log.read_latest_skips(self.name, limit),
            *self._backlog().waiting,
        ]
        periods = active_periods(log.read_changes(self.name), self._scheduler.get(self.name), now)
        kept_since = now - self._stores.retention.longest
        return self._with_statuses(list_runs(events, periods, kept_since, now, limit))

    def backfill(
        self,
        from_: datetime,
        to: datetime,
        *,
        overlap: Literal["skip", "queue", "allow"] | Overlap | None = None,
    ) -> list[ScheduleRun]:
        """Run the occurrences from *from_* on and before *to* that did not run, oldest first.

        They were missed, skipped, due in a pause, or before the schedule was made. *overlap* replaces the
        schedule's own: "queue" runs one after the other. Returns what became of each.

        Raises InvalidBackfill, or ScheduleEnded if the schedule was deleted; nothing was started then.
        """
        policy = Overlap(overlap or self.definition.overlap)
        due = self.preview_backfill(from_, to).occurrences
        events = (self._occurrence_runner.run(self.definition, at, policy) for at in due)
        return self._with_statuses(map(run_from_event, events))

    def preview_backfill(self, from_: datetime, to: datetime) -> BackfillPreview:
        """Return the occurrences that `backfill` would run. Raises what it raises."""
        due = self._list_due(from_, to)
        ran = {run.scheduled_at for run in self._stores.schedule_log.read_runs_since(self.name, from_)}
        missing = tuple(at for at in due if at not in ran)
        return BackfillPreview(schedule=self.name, occurrences=missing, ran=len(due) - len(missing))

    def _list_due(self, from_: datetime, to: datetime) -> list[datetime]:
        now = self._clock()
        if from_.tzinfo is None or to.tzinfo is None:
            raise InvalidBackfill(self.name, "its bounds need a time zone")
        # Two moments of one zone are compared by what its clocks show, which may be the same an hour later.
        if not from_ - now < to - now <= timedelta():
            raise InvalidBackfill(self.name, f"{from_} to {to} is no span of the past")
        earliest = now - self._stores.retention.longest
        if from_ < earliest:
            days = self._stores.retention.longest.days
            raise InvalidBackfill(
                self.name,
                f"what ran more than {days} days ago is not known any more; begin after "
                f"{earliest:%Y-%m-%d %H:%M:%S %Z}",
            )
        changes = self._stores.schedule_log.read_changes(self.name)
        if changes and isinstance(changes[-1], ScheduleDeleted):
            raise ScheduleEnded(self.name)
        past = _due_from(from_, self.definition.timing)
        due = [at for at in islice(past, BACKFILL_OCCURRENCES + 1) if at < to]
        if len(due) > BACKFILL_OCCURRENCES:
            raise InvalidBackfill(
                self.name, f"it has more than {BACKFILL_OCCURRENCES:,} occurrences; take less"
            )
        return due

    def _require_deployed(self) -> DeployedSchedule:
        deployed = self._scheduler.get(self.name)
        if deployed is None:
            raise ScheduleEnded(self.name)
        return deployed

    def _empty_queue(self) -> None:
        now, log = self._clock(), self._stores.schedule_log
        waiting = self._backlog().waiting
        log.append(ScheduleDeleted(schedule=self.name, at=now, by=self._stores.actor))
        reason = "the schedule was deleted before its turn"
        for queued in waiting:
            log.append(
                OccurrenceSkipped(schedule=self.name, at=now, scheduled_at=queued.scheduled_at, reason=reason)
            )

    def _backlog(self) -> ScheduleBacklog:
        return self._occurrence_runner.read_backlog(self.name, Overlap.QUEUE)

    def _with_statuses(self, events: Iterable[ScheduleRun]) -> list[ScheduleRun]:
        runs = list(events)
        stages = read_stages((run.orchestration_id for run in runs if run.orchestration_id), self._stores)
        statuses = {run: combine_statuses(started) for run, started in stages.items()}
        return [run.model_copy(update={"status": self._status(run, statuses)}) for run in runs]

    def _status(
        self, run: ScheduleRun, statuses: Mapping[str, OrchestrationStatus]
    ) -> OrchestrationStatus | None:
        if run.state is not RunState.STARTED or run.at is None:
            return None
        just_started = run.at > self._clock() - UNFOLDED
        return statuses.get(
            run.orchestration_id or "", OrchestrationStatus.IN_PROGRESS if just_started else None
        )


def _due_from(from_: datetime, timing: Timing) -> Iterator[datetime]:
    # In UTC first: arithmetic in a zone forgets which of two hours it was that the clocks show alike.
    return timing.after(from_.astimezone(UTC) - _LEAST)
