"""Carrying out what a schedule's occurrence calls for, whoever says that it is due."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from background_jobs.aws.schedule_log import AlreadyStarted
from background_jobs.aws.stores import Stores
from background_jobs.core.errors import EventConflict, PayloadNotFound
from background_jobs.core.events import OrchestrationStarted
from background_jobs.core.fold import Summary
from background_jobs.core.schedules.definition import Due, Overlap, ScheduleDefinition
from background_jobs.core.schedules.events import (
    OccurrenceEvent,
    OccurrenceQueued,
    OccurrenceSkipped,
    OccurrenceStarted,
    ScheduleDeleted,
)
from background_jobs.core.schedules.overlap import ScheduleBacklog, decide_occurrence, next_run
from background_jobs.core.tags import SCHEDULE_TAG, SCHEDULED_AT_TAG
from background_jobs.orchestration_service.kick_off import KickOff, prepared
from background_jobs.orchestration_service.pipeline_runs import read_stages
from background_jobs.settings import Settings

_LATEST: Final = 10
"""The runs among which one may be in progress."""
UNFOLDED: Final = timedelta(days=1)
"""For how long a run, or its next stage, may be missing from the read model, and count as in progress."""
_GONE: Final = "its params are gone: the schedule was changed or deleted meanwhile"


Prepare = Callable[[KickOff, Iterable[Mapping[str, Any]]], OrchestrationStarted]
"""Uploads what a kick-off needs, and returns the event that makes it real."""


class OccurrenceRunner:
    """Decides what becomes of an occurrence, and makes it so; doing it twice does it once."""

    def __init__(self, stores: Stores, prepare: Prepare, clock: Callable[[], datetime] | None = None) -> None:
        self._stores = stores
        self._prepare = prepare
        self._clock = clock or (lambda: datetime.now(UTC))

    @classmethod
    def from_settings(cls, settings: Settings, stores: Stores) -> Self:
        """Return the runner for the function that Scheduler invokes."""
        return cls(stores, lambda request, params: prepared(request, params, stores, settings))

    def due(self, due: Due) -> OccurrenceEvent:
        """Start, queue or skip an occurrence that Scheduler delivers, and return what became of it."""
        definition, scheduled_at = due.definition, due.scheduled_at.replace(second=0, microsecond=0)
        if skipped := self._stores.schedule_log.read_skip(definition.name, scheduled_at):
            # It comes a second time, and what it was skipped for may have ended.
            return skipped
        return self.occurrence(definition, scheduled_at, definition.overlap)

    def occurrence(
        self, definition: ScheduleDefinition, scheduled_at: datetime, overlap: Overlap
    ) -> OccurrenceEvent:
        """Start, queue or skip the occurrence of *scheduled_at*, and return what became of it."""
        while True:
            backlog = self.backlog(definition.name, overlap)
            if known := backlog.known(scheduled_at):
                return known
            decision = decide_occurrence(definition, scheduled_at, backlog, overlap, self._clock())
            try:
                return self._carry_out(decision, definition)
            except EventConflict:
                # Another occurrence was faster; it may have changed how things stand.
                continue

    def run_completed(self, schedule: str) -> OccurrenceStarted | None:
        """Start what waits for the run that ended, if anything does, and return that."""
        while True:
            backlog = self.backlog(schedule, Overlap.QUEUE)
            if backlog.in_progress:
                return None
            try:
                return self._next(backlog)
            except EventConflict:
                continue

    def backlog(self, name: str, overlap: Overlap) -> ScheduleBacklog:
        """Read as much of how a schedule stands as *overlap* asks for."""
        log = self._stores.schedule_log
        runs = log.read_latest_runs(name, _LATEST)
        if overlap is Overlap.ALLOW:
            return ScheduleBacklog(runs)
        in_progress = self._in_progress(runs)
        if overlap is Overlap.SKIP:
            return ScheduleBacklog(runs, in_progress)
        queue = log.read_queue(name, after=ScheduleBacklog(runs).taken)
        deletions = (
            [one.at for one in log.read_changes(name) if isinstance(one, ScheduleDeleted)] if queue else []
        )
        return ScheduleBacklog(runs, in_progress, queue, max(deletions, default=None))

    def _carry_out(self, decision: OccurrenceEvent, definition: ScheduleDefinition) -> OccurrenceEvent:
        match decision:
            case OccurrenceStarted():
                with suppress(AlreadyStarted):
                    return self._start(decision, definition)
                return decision
            case OccurrenceQueued():
                self._stores.schedule_log.append(decision)
                # The run that it waits for may have ended before it was in the queue.
                started = self.run_completed(decision.schedule)
                return started if started and started.scheduled_at == decision.scheduled_at else decision
            case OccurrenceSkipped():
                return self._skip(decision)

    def _next(self, backlog: ScheduleBacklog) -> OccurrenceStarted | None:
        """Start the first in the queue that can be, and did not run already."""
        for waiting in backlog.waiting:
            run = next_run(waiting.schedule, waiting.scheduled_at, backlog, waiting.place, self._clock())
            with suppress(AlreadyStarted):
                if isinstance(self._start(run, waiting.definition), OccurrenceStarted):
                    return run
        return None

    def _start(self, run: OccurrenceStarted, definition: ScheduleDefinition) -> OccurrenceEvent:
        """Start *run*, unless its params are gone. Raises AlreadyStarted or EventConflict."""
        try:
            kick_off = self._prepared(run, definition)
        except PayloadNotFound:
            skipped = OccurrenceSkipped(
                schedule=run.schedule, at=run.at, scheduled_at=run.scheduled_at, reason=_GONE
            )
            return self._skip(skipped)
        self._stores.schedule_log.start(run, kick_off)
        if definition.timing.at and definition.params_key:
            # What is due once needs them no more.
            self._stores.payloads.remove(definition.params_key)
        return run

    def _skip(self, event: OccurrenceSkipped) -> OccurrenceSkipped:
        # Skipped before is skipped.
        with suppress(EventConflict):
            self._stores.schedule_log.append(event)
        return event

    def _prepared(self, run: OccurrenceStarted, definition: ScheduleDefinition) -> OrchestrationStarted:
        occurrence = {
            SCHEDULE_TAG: run.schedule,
            SCHEDULED_AT_TAG: run.scheduled_at.astimezone(UTC).isoformat(),
        }
        wanted = KickOff(
            job_name=definition.job_name,
            parallelism=definition.parallelism,
            tags=definition.tags | occurrence,
            service=definition.service,
            retry=definition.retry,
            timeout=definition.timeout_seconds,
            then=definition.then,
            known_id=run.orchestration_id,
        )
        return self._prepare(wanted, self._params(definition))

    def _params(self, definition: ScheduleDefinition) -> Iterator[dict[str, Any]]:
        yield from definition.params
        if definition.params_key:
            yield from map(json.loads, self._stores.payloads.lines(definition.params_key))

    def _in_progress(self, runs: list[OccurrenceStarted]) -> frozenset[str]:
        if not runs:
            return frozenset()
        # What a completion calls for must not be missed: nobody would come back for it.
        stages = read_stages([run.orchestration_id for run in runs], self._stores, consistent=True)
        return frozenset(
            run.orchestration_id
            for run in runs
            if self._goes_on(stages.get(run.orchestration_id, []), started_at=run.at)
        )

    def _goes_on(self, stages: Sequence[Summary], started_at: datetime) -> bool:
        last = stages[-1] if stages else None
        if last and not last.next_stage_expected:
            return not last.all_final
        # Its start, or that of its next stage, is not in the read model: not yet, or never.
        if last and self._stores.event_log.read_skipped(last.orchestration_id):
            return False
        since = (last.last_outcome_at if last else None) or started_at
        return since >= self._clock() - UNFOLDED
