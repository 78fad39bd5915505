"""The schedules of an environment: made, found and listed."""

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final, Literal, TypedDict

from pydantic import BaseModel, ValidationError

from background_jobs.aws import clients
from background_jobs.aws.scheduler import Scheduler
from background_jobs.aws.stores import Stores
from background_jobs.core.errors import InvalidSchedule, MissingSettings, ScheduleDeclared, ScheduleNotFound
from background_jobs.core.payloads import INLINE_BYTES
from background_jobs.core.retry import Retry
from background_jobs.core.schedules.definition import (
    Overlap,
    ScheduleDefinition,
    Target,
    is_schedule_name,
    refusal,
    schedule_group,
)
from background_jobs.core.schedules.events import ScheduleDefined, ScheduleResumed
from background_jobs.core.schedules.occurrences import Live
from background_jobs.core.stages import Stage
from background_jobs.core.views.schedule import ScheduleState
from background_jobs.orchestration_service.kick_off import KickOff, named, params_checker
from background_jobs.orchestration_service.occurrences import OccurrenceRunner, Prepare
from background_jobs.orchestration_service.params_spool import ParamsSpool
from background_jobs.orchestration_service.schedule import Schedule
from background_jobs.settings import PREFIX, Settings

MAX_PARAMS_BYTES: Final = 256 * 1024 * 1024
"""A function reads and writes all params at every occurrence."""
_READERS: Final = 8


class ScheduleOptions(TypedDict, total=False):
    """The keywords of schedule_job."""

    cron: str | None
    """When it is due: five fields as in Unix (``0 3 * * *``), or the six of EventBridge Scheduler."""
    every: timedelta | None
    """So often, in whole minutes."""
    at: datetime | None
    """Once, at a moment with a time zone."""
    timezone: str | None
    """The zone of *cron*, by its IANA name; by default UTC."""
    start: datetime | None
    """Not before then; *every* counts from it, by default from the next minute on."""
    end: datetime | None
    """Only before then."""
    overlap: Literal["skip", "queue", "allow"] | Overlap
    """What happens while the run before is still in progress; by default the occurrence is skipped."""
    jitter: timedelta
    """Within how long after its time an occurrence may come, in whole minutes."""
    parallelism: int | None
    tags: Mapping[str, str] | None
    service: str | None
    retry: Retry | None
    timeout: float | timedelta | None
    then: Stage | None
    """These are as in kick_off_job, for every occurrence."""


class Schedules:
    """Makes and finds schedules; they live in Scheduler, and their histories in the event log."""

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        prepare: Prepare,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._stores = stores
        self._clock = clock
        self.occurrence_runner = OccurrenceRunner(stores, prepare, clock)

    def define(
        self,
        name: str,
        job: str | Callable[..., Any],
        params: Iterable[Mapping[str, Any] | BaseModel],
        options: ScheduleOptions,
    ) -> Schedule:
        """Make a schedule, or make it anew. Raises InvalidSchedule, ScheduleDeclared, or as kick_off_job."""
        job_name, job_definition = named(job)
        wanted = KickOff(
            job_name=job_name,
            parallelism=options.get("parallelism"),
            tags=options.get("tags") or {},
            timeout=options.get("timeout"),
            service=options.get("service") or self._settings.service,
            then=options.get("then"),
        )
        wanted.refuse(self._settings)
        definition = self._definition(name, wanted, options)
        target, before = self._target(), self._scheduler.get(name)
        if before is not None and before.definition.declared:
            raise ScheduleDeclared(name)
        definition = _keeping_beat(definition, before, explicit=options.get("start") is not None)
        with ParamsSpool() as spool:
            spool.fill(params, params_checker(job_definition))
            definition = self._with_params(definition, spool)
        now, paused = self._clock(), before is not None and before.paused
        try:
            self._scheduler.put(definition, target, now, paused=paused)
        except InvalidSchedule:
            self._remove_params(definition, unless=before.definition if before else None)
            raise
        self._stores.schedule_log.append(
            ScheduleDefined(schedule=name, at=now, definition=definition, paused=paused)
        )
        # What waits in the queue runs with the params of its time.
        if before and not self.occurrence_runner.backlog(name, Overlap.QUEUE).waiting:
            self._remove_params(before.definition, unless=definition)
        return self._handle(definition, ScheduleState.PAUSED if paused else ScheduleState.ACTIVE)

    def all(self) -> list[Schedule]:
        """Return all schedules that there are, by name."""
        names = self._scheduler.names()
        with ThreadPoolExecutor(_READERS) as pool:
            found = list(pool.map(self._scheduler.get, names))
        return [self._live_handle(live) for live in found if live is not None]

    def named(self, name: str) -> Schedule:
        """Return the schedule *name*, also one that is over. Raises ScheduleNotFound."""
        if not is_schedule_name(name):
            raise ScheduleNotFound(name)
        live = self._scheduler.get(name)
        if live is not None:
            return self._live_handle(live)
        changes = self._stores.schedule_log.read_changes(name)
        for change in reversed(changes):
            if isinstance(change, ScheduleDefined | ScheduleResumed):
                return self._handle(change.definition, ScheduleState.OVER)
        raise ScheduleNotFound(name)

    @cached_property
    def _scheduler(self) -> Scheduler:
        # Most callers have no schedules, and a client takes its time.
        return Scheduler(clients.scheduler(), schedule_group(self._settings.environment))

    def _definition(self, name: str, wanted: KickOff, options: ScheduleOptions) -> ScheduleDefinition:
        """Return what is asked for, still without params. Raises InvalidSchedule."""
        now = self._clock()
        fields = {
            "name": name,
            "job_name": wanted.job_name,
            "service": wanted.service,
            "timing": {
                "cron": options.get("cron"),
                "every": options.get("every"),
                "at": options.get("at"),
                "timezone": options.get("timezone") or "UTC",
                "start": options.get("start") or (now if options.get("every") else None),
                "end": options.get("end"),
            },
            "overlap": options.get("overlap") or Overlap.SKIP,
            "jitter": options.get("jitter") or timedelta(),
            "parallelism": wanted.parallelism,
            "tags": wanted.tags,
            "retry": options.get("retry"),
            "timeout_seconds": wanted.seconds,
            "then": wanted.then,
        }
        try:
            definition = ScheduleDefinition.model_validate(fields)
        except ValidationError as invalid:
            raise InvalidSchedule(name, refusal(invalid)) from None
        _refuse_never(definition, now)
        return definition

    def _with_params(self, definition: ScheduleDefinition, spool: ParamsSpool) -> ScheduleDefinition:
        """Return the definition with its params: within it, or uploaded where they are large."""
        size = spool.file.tell()
        if not spool.total:
            raise InvalidSchedule(definition.name, "there are no params, so nothing would run; give [{}]")
        if size > MAX_PARAMS_BYTES:
            most = f"{MAX_PARAMS_BYTES:,} is the most; keep the data in S3 and pass its keys"
            raise InvalidSchedule(definition.name, f"its params are {size:,} bytes of JSON, and {most}")
        if size <= INLINE_BYTES:
            spool.file.seek(0)
            return definition.model_copy(update={"params": tuple(map(json.loads, spool.file))})
        key = f"schedules/{definition.name}/{spool.digest[:16]}/params.jsonl"
        self._stores.payloads.upload(key, spool.file)
        return definition.model_copy(update={"params_key": key})

    def _remove_params(self, definition: ScheduleDefinition, *, unless: ScheduleDefinition | None) -> None:
        """Remove the params of *definition*, unless they are those of another as well."""
        if definition.params_key and (unless is None or definition.params_key != unless.params_key):
            self._stores.payloads.remove(definition.params_key)

    def _target(self) -> Target:
        """Return whom Scheduler is to invoke. Raises MissingSettings."""
        names = ("schedule_function", "schedule_role", "schedule_failures")
        target = Target(*(getattr(self._settings, name) for name in names))
        if missing := [PREFIX + name.upper() for name, arn in zip(names, target, strict=True) if not arn]:
            raise MissingSettings(missing)
        return target

    def _live_handle(self, live: Live) -> Schedule:
        return self._handle(live.definition, ScheduleState.PAUSED if live.paused else ScheduleState.ACTIVE)

    def _handle(self, definition: ScheduleDefinition, state: ScheduleState) -> Schedule:
        return Schedule(definition, state, self._stores, self._scheduler, self.occurrence_runner, self._clock)


def _refuse_never(definition: ScheduleDefinition, now: datetime) -> None:
    """Raise InvalidSchedule if nothing is due from *now* on."""
    timing = definition.timing
    if next(timing.after(now), None) is not None:
        return
    if timing.at:
        raise InvalidSchedule(definition.name, f"at={timing.at} has passed")
    window = f" between {timing.start or now} and {timing.end}" if timing.end else " any more"
    raise InvalidSchedule(definition.name, f"{timing.expression} is not due{window}")


def _keeping_beat(
    definition: ScheduleDefinition, before: Live | None, *, explicit: bool
) -> ScheduleDefinition:
    """Return the definition with the start that an interval had before: made anew, it keeps its beat."""
    timing = definition.timing
    if before is None or explicit or timing.every is None or before.definition.timing.every != timing.every:
        return definition
    kept = timing.model_copy(update={"start": before.definition.timing.start})
    return definition.model_copy(update={"timing": kept})
