"""Carrying out the occurrences of schedules, whether Scheduler or a caller says that they are due."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, Self

from background_jobs.aws.schedule_log import AlreadyStarted
from background_jobs.aws.stores import Stores
from background_jobs.core.errors import EventConflict, OrchestrationOfOtherService, PayloadNotFound
from background_jobs.core.events import OrchestrationStarted, StageSkipped
from background_jobs.core.read_model import Summary
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
from background_jobs.orchestration_service.kick_off import KickOffRequest, prepare_kick_off
from background_jobs.orchestration_service.pipeline_runs import read_stages
from background_jobs.settings import Settings

_LATEST: Final = 10
"""The number of latest runs that are looked at for one in progress."""
UNFOLDED: Final = timedelta(days=1)
"""How long a run counts as in progress while it, or its next stage, is missing from the read model."""
_GONE: Final = "its params are gone: the schedule was changed or deleted meanwhile"


Prepare = Callable[[KickOffRequest, Iterable[object]], OrchestrationStarted]
"""Uploads what a kick-off needs, and returns the event that makes it real."""


class OccurrenceRunner:
    """Starts, queues or skips occurrences; a second call for the same occurrence changes nothing."""

    def __init__(self, stores: Stores, prepare: Prepare, clock: Callable[[], datetime] | None = None) -> None:
        self._stores = stores
        self._prepare = prepare
        self._clock = clock or (lambda: datetime.now(UTC))

    @classmethod
    def from_settings(
        cls, settings: Settings, stores: Stores, clock: Callable[[], datetime] | None = None
    ) -> Self:
        """Return what carries out the occurrences of the schedules of one environment."""
        return cls(stores, partial(prepare_kick_off, stores=stores, settings=settings), clock)

    def run_due(self, due: Due) -> OccurrenceEvent:
        """Start, queue or skip an occurrence that Scheduler delivers, and return what became of it."""
        definition, scheduled_at = due.definition, due.scheduled_at.replace(second=0, microsecond=0)
        if skipped := self._stores.schedule_log.read_skip(definition.name, scheduled_at):
            # It comes a second time, and the run for which it was skipped may have ended meanwhile.
            return skipped
        return self.run(definition, scheduled_at, definition.overlap)

    def run(
        self, definition: ScheduleDefinition, scheduled_at: datetime, overlap: Overlap
    ) -> OccurrenceEvent:
        """Start, queue or skip the occurrence of *scheduled_at*, and return what became of it."""
        while True:
            backlog = self.read_backlog(definition.name, overlap)
            if known := backlog.find(scheduled_at):
                return known
            decision = decide_occurrence(definition, scheduled_at, backlog, overlap, self._clock())
            try:
                return self._carry_out(decision, definition)
            except EventConflict:
                # Another occurrence was decided at the same time, so the backlog is read again.
                continue

    def start_waiting(self, schedule: str) -> OccurrenceStarted | None:
        """Start the first occurrence that waits for the run that ended; None if none does, or can."""
        while True:
            backlog = self.read_backlog(schedule, Overlap.QUEUE)
            if backlog.in_progress:
                return None
            try:
                return self._start_first(backlog)
            except EventConflict:
                continue

    def read_backlog(self, name: str, overlap: Overlap) -> ScheduleBacklog:
        """Read as much of the backlog of a schedule as *overlap* asks for."""
        log = self._stores.schedule_log
        runs = log.read_latest_runs(name, _LATEST)
        if overlap is Overlap.ALLOW:
            return ScheduleBacklog(runs)
        in_progress = self._read_in_progress(runs)
        if overlap is Overlap.SKIP:
            return ScheduleBacklog(runs, in_progress)
        queue = log.read_queue(name, after=ScheduleBacklog(runs).taken)
        deletions = (
            [change.at for change in log.read_changes(name) if isinstance(change, ScheduleDeleted)]
            if queue
            else []
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
                # The run that it waits for may have ended before the occurrence was in the queue.
                started = self.start_waiting(decision.schedule)
                return started if started and started.scheduled_at == decision.scheduled_at else decision
            case OccurrenceSkipped():
                return self._skip(decision)

    def _start_first(self, backlog: ScheduleBacklog) -> OccurrenceStarted | None:
        """Start the first occurrence of the queue that has not run already and has its params."""
        for waiting in backlog.waiting:
            run = next_run(waiting.schedule, waiting.scheduled_at, backlog, waiting.place, self._clock())
            with suppress(AlreadyStarted):
                if isinstance(self._start(run, waiting.definition), OccurrenceStarted):
                    return run
        return None

    def _start(self, run: OccurrenceStarted, definition: ScheduleDefinition) -> OccurrenceEvent:
        """Start *run*, unless its params are gone or its id is taken.

        Raises AlreadyStarted or EventConflict.
        """
        try:
            self._stores.schedule_log.start(run, self._prepare_kick_off(run, definition))
        except (PayloadNotFound, OrchestrationOfOtherService) as refused:
            skipped = OccurrenceSkipped(
                schedule=run.schedule,
                at=run.at,
                scheduled_at=run.scheduled_at,
                reason=_GONE if isinstance(refused, PayloadNotFound) else str(refused),
            )
            return self._skip(skipped)
        if definition.timing.at and definition.params_key:
            # A schedule that is due once does not need its params any more.
            self._stores.payloads.remove(definition.params_key)
        return run

    def _skip(self, event: OccurrenceSkipped) -> OccurrenceSkipped:
        # It may have been skipped before, for a reason that is kept.
        with suppress(EventConflict):
            self._stores.schedule_log.append(event)
        return event

    def _prepare_kick_off(
        self, run: OccurrenceStarted, definition: ScheduleDefinition
    ) -> OrchestrationStarted:
        occurrence = {
            SCHEDULE_TAG: run.schedule,
            SCHEDULED_AT_TAG: run.scheduled_at.astimezone(UTC).isoformat(),
        }
        request = KickOffRequest(
            job_name=definition.job_name,
            options=definition.kick_off_options(tags=occurrence),
            known_id=run.orchestration_id,
        )
        return self._prepare(request, self._params(definition))

    def _params(self, definition: ScheduleDefinition) -> Iterator[dict[str, Any]]:
        yield from definition.params
        if definition.params_key:
            yield from map(json.loads, self._stores.payloads.lines(definition.params_key))

    def _read_in_progress(self, runs: list[OccurrenceStarted]) -> frozenset[str]:
        if not runs:
            return frozenset()
        # A completion must not be overlooked: no other event would start the next in the queue.
        stages = read_stages([run.orchestration_id for run in runs], self._stores, consistent=True)
        return frozenset(
            run.orchestration_id
            for run in runs
            if self._is_in_progress(stages.get(run.orchestration_id, []), started_at=run.at)
        )

    def _read_skipped(self, summary: Summary) -> StageSkipped | None:
        return self._stores.event_log.for_service(summary.service).read_skipped(summary.orchestration_id)

    def _is_in_progress(self, stages: Sequence[Summary], started_at: datetime) -> bool:
        last = stages[-1] if stages else None
        if last and not last.next_stage_expected:
            return not last.all_final
        # The run, or its next stage, is not in the read model: not yet, or it never will be.
        if last and self._read_skipped(last):
            return False
        since = (last.last_outcome_at if last else None) or started_at
        return since >= self._clock() - UNFOLDED
