"""The schedules of an environment: making, finding and listing them."""

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import Any, Final

from pydantic import ValidationError

from background_jobs.aws import clients
from background_jobs.aws.clock import clock as aws_clock
from background_jobs.aws.scheduler import Scheduler
from background_jobs.aws.stores import Stores
from background_jobs.aws.thread_pool import ThreadPool
from background_jobs.core.errors import InvalidSchedule, MissingSettings, ScheduleDeclared, ScheduleNotFound
from background_jobs.core.limits import SCHEDULE_PARAMS_BYTES
from background_jobs.core.options import OccurrenceOptions, check_keywords, read_options
from background_jobs.core.payloads import INLINE_BYTES
from background_jobs.core.schedules.definition import (
    Overlap,
    ScheduleDefinition,
    Target,
    explain_invalid,
    is_schedule_name,
    schedule_group,
)
from background_jobs.core.schedules.events import ScheduleDefined, ScheduleResumed
from background_jobs.core.schedules.occurrences import DeployedSchedule
from background_jobs.core.schedules.options import TIMING_OPTIONS, ScheduleKeywords, ScheduleOptions
from background_jobs.core.typed_params import Params
from background_jobs.core.views.schedule import ScheduleState
from background_jobs.orchestration_service.kick_off import KickOffRequest, params_writer, resolve_job
from background_jobs.orchestration_service.occurrences import OccurrenceRunner
from background_jobs.orchestration_service.params_spool import ParamsSpool
from background_jobs.orchestration_service.schedule import Schedule
from background_jobs.settings import PREFIX, Settings

_READERS: Final = 8


class Schedules:
    """Makes and finds schedules; they live in Scheduler, and their histories in the event log."""

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        clock: Callable[[], datetime] = aws_clock,
        occurrence_runner: OccurrenceRunner | None = None,
    ) -> None:
        self._settings = settings
        self._stores = stores
        self._clock = clock
        self._scheduler = Scheduler(
            clients.of_each_process(partial(clients.scheduler, stores.connection)),
            schedule_group(settings.environment),
        )
        self.occurrence_runner = occurrence_runner or OccurrenceRunner.from_settings(settings, stores, clock)

    def define(
        self,
        name: str,
        job: str | Callable[..., Any],
        params: Iterable[Params],
        keywords: ScheduleKeywords,
    ) -> Schedule:
        """Make a schedule, or make it anew. Raises InvalidSchedule, ScheduleDeclared, or as kick_off_job."""
        job_name, job_definition = resolve_job(job)
        options = self._read_options(name, keywords)
        request = KickOffRequest(job_name=job_name, options=options.kick_off_options(tags={}))
        request.refuse(self._settings, self._stores.payloads)
        definition = self._definition(name, job_name, options)
        target, before = self._target(), self._scheduler.get(name)
        if before is not None and before.definition.declared:
            raise ScheduleDeclared(name)
        definition = _keep_beat(definition, before, explicit=options.start is not None)
        with ParamsSpool() as spool:
            spool.fill(params, params_writer(job_definition))
            definition = self._with_params(definition, spool)
        now, paused = self._clock(), before is not None and before.paused
        try:
            self._scheduler.put(definition, target, now, paused=paused)
        except InvalidSchedule:
            self._remove_params(definition, unless=before.definition if before else None)
            raise
        self._stores.schedule_log.append(
            ScheduleDefined(
                schedule=name, at=now, definition=definition, paused=paused, by=self._stores.actor
            )
        )
        # Occurrences that wait in the queue still run with the params of the definition before.
        if before and not self.occurrence_runner.read_backlog(name, Overlap.QUEUE).waiting:
            self._remove_params(before.definition, unless=definition)
        return self._handle(definition, ScheduleState.PAUSED if paused else ScheduleState.ACTIVE)

    def all(self) -> list[Schedule]:
        """Return all schedules that there are, by name."""
        names = self._scheduler.names()
        with ThreadPool(_READERS) as pool:
            schedules = list(pool.map(self._scheduler.get, names))
        return [self._deployed_handle(deployed) for deployed in schedules if deployed is not None]

    def find(self, name: str) -> Schedule:
        """Return the schedule *name*, also one that is over. Raises ScheduleNotFound."""
        if not is_schedule_name(name):
            raise ScheduleNotFound(name)
        deployed = self._scheduler.get(name)
        if deployed is not None:
            return self._deployed_handle(deployed)
        changes = self._stores.schedule_log.read_changes(name)
        for change in reversed(changes):
            if isinstance(change, ScheduleDefined | ScheduleResumed):
                return self._handle(change.definition, ScheduleState.OVER)
        raise ScheduleNotFound(name)

    def _read_options(self, name: str, keywords: ScheduleKeywords) -> ScheduleOptions:
        """Return the checked options of schedule *name*. Raises InvalidSchedule or InvalidKickOff."""
        check_keywords(ScheduleOptions, keywords)
        given = {option: value for option, value in keywords.items() if value is not None}
        shared = {
            option: value for option, value in given.items() if option in OccurrenceOptions.model_fields
        }
        read_options(OccurrenceOptions, shared, self._settings.max_parallelism)
        try:
            return ScheduleOptions.model_validate(given)
        except ValidationError as invalid:
            raise InvalidSchedule(name, explain_invalid(invalid)) from None

    def _definition(self, name: str, job_name: str, options: ScheduleOptions) -> ScheduleDefinition:
        """Return the definition that the options ask for, still without params. Raises InvalidSchedule."""
        now = self._clock()
        fields = {option: getattr(options, option) for option in ScheduleOptions.model_fields}
        timing = {option: fields.pop(option) for option in TIMING_OPTIONS}
        if options.every and not options.start:
            timing["start"] = now
        service = options.service or self._settings.service
        try:
            definition = ScheduleDefinition.model_validate(
                fields | {"name": name, "job_name": job_name, "service": service, "timing": timing}
            )
        except ValidationError as invalid:
            raise InvalidSchedule(name, explain_invalid(invalid)) from None
        _refuse_never_due(definition, now)
        return definition

    def _with_params(self, definition: ScheduleDefinition, spool: ParamsSpool) -> ScheduleDefinition:
        """Return the definition with its params: within it, or uploaded if they are large."""
        size = spool.file.tell()
        if not spool.total:
            raise InvalidSchedule(definition.name, "there are no params, so nothing would run; give [{}]")
        if size > SCHEDULE_PARAMS_BYTES:
            most = f"{SCHEDULE_PARAMS_BYTES:,} is the most; keep the data in S3 and pass its keys"
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

    def _deployed_handle(self, deployed: DeployedSchedule) -> Schedule:
        return self._handle(
            deployed.definition, ScheduleState.PAUSED if deployed.paused else ScheduleState.ACTIVE
        )

    def _handle(self, definition: ScheduleDefinition, state: ScheduleState) -> Schedule:
        return Schedule(definition, state, self._stores, self._scheduler, self.occurrence_runner, self._clock)


def _refuse_never_due(definition: ScheduleDefinition, now: datetime) -> None:
    """Raise InvalidSchedule if nothing is due from *now* on."""
    timing = definition.timing
    if next(timing.after(now), None) is not None:
        return
    if timing.at:
        raise InvalidSchedule(definition.name, f"at={timing.at} has passed")
    if timing.is_never_due:
        raise InvalidSchedule(definition.name, f"{timing.expression} is never due: no year has such a day")
    window = f" between {timing.start or now} and {timing.end}" if timing.end else " any more"
    raise InvalidSchedule(definition.name, f"{timing.expression} is not due{window}")


def _keep_beat(
    definition: ScheduleDefinition, before: DeployedSchedule | None, *, explicit: bool
) -> ScheduleDefinition:
    """Return the definition with the start that the interval had before, so that it keeps its beat."""
    timing = definition.timing
    if before is None or explicit or timing.every is None or before.definition.timing.every != timing.every:
        return definition
    kept = timing.model_copy(update={"start": before.definition.timing.start})
    return definition.model_copy(update={"timing": kept})
