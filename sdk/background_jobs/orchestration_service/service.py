"""The caller's service: one call kicks off an orchestration, another brings its results."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Unpack

from pydantic import BaseModel

from background_jobs.aws.rooms import Rooms
from background_jobs.core import ids, shares
from background_jobs.core.errors import (
    EventConflict,
    InvalidKickOff,
    KickOffConflict,
    OrchestrationNotFound,
)
from background_jobs.core.events import OrchestrationStarted
from background_jobs.core.live import instances_in
from background_jobs.core.outcomes import JobResults
from background_jobs.core.retry import Retry
from background_jobs.core.statuses import State
from background_jobs.orchestration_service.door import checked, checked_timeout, named, refuse_kick_off
from background_jobs.orchestration_service.firing import Firing
from background_jobs.orchestration_service.orchestration import Orchestration
from background_jobs.orchestration_service.results import all_params
from background_jobs.orchestration_service.schedule import Schedule
from background_jobs.orchestration_service.schedules import ScheduleOptions, Schedules
from background_jobs.orchestration_service.spool import ParamsSpool
from background_jobs.settings import Settings


class OrchestrationService:
    """Kicks off jobs and collects their results.

    *settings* come from the environment unless given; MissingSettings names all that are absent.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings.from_env()
        self._rooms = Rooms.of(self._settings)
        self._schedules = Schedules(self._settings, self._rooms, self._prepared)

    def kick_off_job(  # noqa: PLR0913 -- its options are keywords
        self,
        job: str | Callable[..., Any],
        params: Iterable[Mapping[str, Any] | BaseModel],
        *,
        parallelism: int | None = None,
        key: str | None = None,
        tags: Mapping[str, str] | None = None,
        service: str | None = None,
        retry: Retry | None = None,
        timeout: float | timedelta | None = None,
        parent_id: str | None = None,
    ) -> Orchestration:
        """Start one job instance for each object in *params*, and return the handle of them all.

        *job* is a job name, or the decorated job itself, whose typed params are then validated here.
        *params* may be any iterable; it is read once, lazily, and nothing is started before its end.
        *parallelism* is how many containers work at once, by default one per instance up to the stage's
        limit. *key* makes the kick-off idempotent: the same key with the same params re-attaches.
        *tags* (customer identifiers, say) travel with every event. *service* runs the job, by default
        the one in the settings. *retry* overrides the job's own. *timeout*, in seconds or as a timedelta,
        ends the whole orchestration: what has no outcome by then is Errored as OrchestrationTimeout.
        *parent_id* notes the orchestration that this one follows.

        The calls to AWS are constant in the number of instances: two uploads and one put.

        Raises UnknownJobName, InvalidParams, InvalidKickOff or KickOffConflict, and whatever the iterator
        raises; nothing was started then.
        """
        name, definition = named(job)
        refuse_kick_off(name, parallelism, key, tags, self._settings)
        seconds = checked_timeout(timeout)
        orchestration_id = ids.orchestration_id_for_key(name, key) if key is not None else str(uuid.uuid4())
        started = self._prepared(
            orchestration_id,
            name,
            params,
            check=checked(definition),
            parallelism=parallelism,
            key=key,
            tags=tags,
            service=service,
            retry=retry,
            seconds=seconds,
            parent_id=parent_id,
        )
        self._append(started)
        return Orchestration(orchestration_id, name, self._rooms, self._settings.api_url)

    def _prepared(  # noqa: PLR0913 -- as kick_off_job
        self,
        orchestration_id: str,
        name: str,
        params: Iterable[Mapping[str, Any] | BaseModel],
        *,
        parallelism: int | None,
        tags: Mapping[str, str] | None,
        service: str | None,
        retry: Retry | None,
        seconds: float | None,
        check: Callable[[int, object], object] = lambda _index, params: params,
        key: str | None = None,
        parent_id: str | None = None,
    ) -> OrchestrationStarted:
        """Upload what a kick-off needs, and return the event that will make it real."""
        with ParamsSpool() as spool:
            spool.fill(params, check)
            count = shares.share_count(spool.total, parallelism, self._settings.max_parallelism)
            # The names carry what decides the contents: a second kick-off under the same key writes
            # the same bytes, or elsewhere.
            folder = f"orchestrations/{orchestration_id}/{spool.digest[:16]}"
            now = datetime.now(UTC)
            started = OrchestrationStarted(
                orchestration_id=orchestration_id,
                at=now,
                job_name=name,
                service=service or self._settings.service,
                total=spool.total,
                parallelism=max(1, count),
                params_key=f"{folder}/params.jsonl" if count else "",
                params_digest=spool.digest,
                shares_key=f"{folder}/shares-{count}.jsonl" if count else "",
                retry=retry,
                deadline=None if seconds is None else now + timedelta(seconds=seconds),
                idempotency_key=key,
                parent_id=parent_id,
                tags=dict(tags or {}),
            )
            if count:
                with spool.manifest(orchestration_id, count) as manifest:
                    self._rooms.payloads.upload(started.params_key, spool.file)
                    self._rooms.payloads.upload(started.shares_key, manifest)
        return started

    def orchestration(self, orchestration_id: str) -> Orchestration:
        """Re-attach to an orchestration by its id, from any process.

        Raises OrchestrationNotFound.
        """
        if not ids.is_orchestration_id(orchestration_id):
            raise OrchestrationNotFound(orchestration_id)
        started = self._rooms.event_log.started(orchestration_id)
        return Orchestration(orchestration_id, started.job_name, self._rooms, self._settings.api_url)

    def rerun(self, orchestration_id: str, *, only: Literal["failed", "all"] = "failed") -> Orchestration:
        """Kick off a new orchestration with the params of another's failures, or with all of its params.

        Job, service, retry and tags are those of the first, which must be done; the new one notes it as its
        parent. Raises OrchestrationNotFound, InvalidKickOff, or PayloadNotFound once the params have expired.
        """
        summary = self.orchestration(orchestration_id).summary()
        if not summary.all_final:
            raise InvalidKickOff(
                f"Orchestration {orchestration_id} still runs; wait for its end, or cancel it."
            )
        started = self._rooms.event_log.started(orchestration_id)
        states = {State.ERRORED} if only == "failed" else set(State)
        wanted = set(instances_in(self._rooms.read_model.snapshot(orchestration_id), states))
        if not wanted:
            raise InvalidKickOff(f"Orchestration {orchestration_id} has nothing to run again.")
        params = enumerate(all_params(started, self._rooms.payloads))
        return self.kick_off_job(
            started.job_name,
            (one for index, one in params if index in wanted),
            parallelism=min(started.parallelism, len(wanted)),
            tags=started.tags,
            service=started.service,
            retry=started.retry,
            parent_id=orchestration_id,
        )

    def get_job_results(
        self, orchestration_id: str, *, timeout: float | timedelta | None = None
    ) -> JobResults:
        """Wait for every instance's outcome and return them as ``(successes, failures)``.

        *failures* is None when there are none. *timeout* is in seconds, or a timedelta; None waits for ever.

        Raises OrchestrationNotFound, or TimeoutError.
        """
        return self.orchestration(orchestration_id).results(timeout)

    def schedule_job(
        self,
        name: str,
        job: str | Callable[..., Any],
        params: Iterable[Mapping[str, Any] | BaseModel],
        **options: Unpack[ScheduleOptions],
    ) -> Schedule:
        """Kick off *job* with *params* whenever the schedule *name* is due; the same name again redefines it.

        It is due by *cron* (five fields, or Scheduler's six) in *timezone*, *every* so often from *start* on,
        or once *at* a moment. *overlap* says what becomes of an occurrence while the run before is still in
        progress: "skip" it, "queue" it, or "allow" both. The params are read once, now. A schedule that is
        paused stays so. docs/schedules.md tells of every option.

        Raises InvalidSchedule, ScheduleDeclared, or what kick_off_job raises; nothing was written then.
        """
        return self._schedules.define(name, job, params, options)

    def schedules(self) -> list[Schedule]:
        """Return all schedules of the stage, by name."""
        return self._schedules.all()

    def schedule(self, name: str) -> Schedule:
        """Re-attach to a schedule by its name, also to one that is over. Raises ScheduleNotFound."""
        return self._schedules.named(name)

    @property
    def firing(self) -> Firing:
        """Return what carries out the occurrences of schedules, for the function that Scheduler invokes."""
        return self._schedules.firing

    def _append(self, started: OrchestrationStarted) -> None:
        try:
            self._rooms.event_log.append(started)
        except EventConflict:
            existing = self._rooms.event_log.started(started.orchestration_id)
            names = {
                "total": "the number of params",
                "params_digest": "the params",
                "tags": "the tags",
                "retry": "the retry",
            }
            differences = [
                said for field, said in names.items() if getattr(existing, field) != getattr(started, field)
            ]
            if differences:
                raise KickOffConflict(
                    started.orchestration_id, started.idempotency_key or "", differences
                ) from None
