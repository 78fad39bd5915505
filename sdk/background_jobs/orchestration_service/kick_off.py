"""Kicking off: the params go to the bucket first, then one write to the log makes the kick-off real."""

import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any, Final

from background_jobs.aws.job_catalog import JobCatalog
from background_jobs.aws.payloads import Payloads
from background_jobs.aws.stores import Stores
from background_jobs.core import ids, limits
from background_jobs.core.bounds import SERVICE_NAME
from background_jobs.core.canonical import canonical_json
from background_jobs.core.containers import shares
from background_jobs.core.errors import InvalidKickOff, KickOffConflict
from background_jobs.core.events import OrchestrationStarted
from background_jobs.core.lineage import Lineage
from background_jobs.core.options import (
    KickOffOptions,
    explain_parallelism,
    explain_service,
    explain_unknown_channel,
)
from background_jobs.core.payload_keys import payload_folder
from background_jobs.core.payloads import storable
from background_jobs.core.planning.endless import explain_endless
from background_jobs.core.stages import services_of_stages, walk_stages
from background_jobs.core.typed_params import write_params
from background_jobs.jobs import JobDefinition, find_definition
from background_jobs.orchestration_service.jobs import KnownJobs
from background_jobs.orchestration_service.params_spool import ParamsSpool
from background_jobs.settings import Settings
from background_jobs.tracing import tracing_of_caller

_COMPARED: Final = {
    "job_name": "the job",
    "total": "the number of params",
    "params_digest": "the params",
    "tags": "the tags",
    "retry": "the retry",
    "then": "what follows",
    "notify": "the channels",
    "rerun_indices_key": "which instances run again",
}
"""What a second kick-off under the same id must have in common with the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KickOffRequest:
    """A job and the options of its kick-off: everything that is to be started, except for the params."""

    job_name: str
    definition: JobDefinition | None = None
    options: KickOffOptions = field(default_factory=KickOffOptions)
    lineage: Lineage | None = None
    """Where it comes from; by default the options say so."""
    traceparent: str | None = None
    """The span that the kick-off is of; by default the current one."""
    rerun_indices: str = ""
    """The indices, in the parent, of the selected instances that run again; else empty."""
    known_id: str | None = None
    """The id, if it was known before; by default it follows from the key, or is random."""

    def service(self, settings: Settings) -> str:
        """Return the service that is to run the job."""
        return self.options.service or settings.service

    def new_id(self, settings: Settings) -> str:
        """Return the id that the orchestration gets."""
        if self.known_id is not None:
            return self.known_id
        if (key := self.options.key) is None:
            return str(uuid.uuid4())
        return ids.orchestration_id_for_key(self.service(settings), self.job_name, key)

    def refuse(self, settings: Settings, payloads: Payloads) -> None:
        """Raise UnknownJobName or InvalidKickOff if *settings* do not allow it; params are checked later.

        Offline, the jobs are those that *payloads* have by now. Raises JobsNotLoaded where that is none.
        """
        stages = list(walk_stages(self.options.then))
        services = services_of_stages(self.service(settings), self.options.then)
        names = [self.job_name, *(stage.job_name for stage in stages)]
        for name in names:
            _refuse_job_name(name)
        for service in services:
            refuse_service(service, settings.service_names)
        known = KnownJobs(settings, JobCatalog(payloads))
        for name, service in zip(names, services, strict=True):
            known.refuse(name, service)
        for channel in self.options.notify or ():
            if channel not in settings.notify_channels:
                raise InvalidKickOff(explain_unknown_channel(channel, settings.notify_channels))
        limit = settings.max_parallelism
        for parallelism in (self.options.parallelism, *(stage.parallelism for stage in stages)):
            if parallelism is not None and parallelism > limit:
                raise InvalidKickOff(explain_parallelism(parallelism, limit))


def kick_off(request: KickOffRequest, params: Iterable[object], stores: Stores, settings: Settings) -> str:
    """Start one job instance for each object in *params*, and return the id of the orchestration.

    Raises UnknownJobName, InvalidParams, InvalidKickOff or KickOffConflict, and whatever the iterator raises;
    nothing was started then.
    """
    request.refuse(settings, stores.payloads)
    started = prepare_kick_off(request, params, stores, settings)
    append_kick_off(started, stores)
    return started.orchestration_id


def prepare_kick_off(
    request: KickOffRequest, params: Iterable[object], stores: Stores, settings: Settings
) -> OrchestrationStarted:
    """Upload what a kick-off needs, and return the event that will make it real.

    Raises InvalidParams, or InvalidKickOff if the orchestration could not end.
    """
    with (
        tracing_of_caller().kick_off(request.job_name, request.traceparent) as traced,
        ParamsSpool(compared=request.options.key is not None) as spool,
    ):
        spool.fill(params, params_writer(request.definition))
        started = _event(request, spool, request.new_id(settings), settings, stores)
        _refuse_endless(started, request.definition, settings)
        if started.total:
            with spool.manifest(started.orchestration_id, started.parallelism) as manifest:
                stores.payloads.upload(started.params_key, spool.file)
                stores.payloads.upload(started.shares_key, manifest)
            if started.rerun_indices_key:
                stores.payloads.put(started.rerun_indices_key, request.rerun_indices.encode())
        started = traced(started)
    # By now AWS has told its time, by which containers measure the timeout.
    return started.model_copy(update=_times(request.options, stores.clock()))


def append_kick_off(started: OrchestrationStarted, stores: Stores) -> None:
    """Start what was prepared. Raises KickOffConflict where something else was started under its key."""
    holder = stores.event_log.append_kick_off(started)
    if holder is not started and (differences := _differences(holder, started)):
        raise KickOffConflict(started.orchestration_id, started.idempotency_key or "", differences)


def _refuse_endless(
    started: OrchestrationStarted, definition: JobDefinition | None, settings: Settings
) -> None:
    if definition is not None and definition.expected is not None:
        kept = settings.retention.of(started.service)
        reason = explain_endless(
            started.total,
            started.parallelism,
            definition.expected,
            kept,
            concurrency=definition.concurrency,
        )
        if reason is not None:
            raise InvalidKickOff(reason)


def known_channels(channels: Sequence[str] | None, settings: Settings) -> tuple[str, ...]:
    """Return those of *channels* that are there; what follows by itself does not fail for another."""
    return tuple(channel for channel in channels or () if channel in settings.notify_channels)


def resolve_job(job: str | Callable[..., Any]) -> tuple[str, JobDefinition | None]:
    """Return the name of *job*, and its definition if *job* is the decorated job itself."""
    if isinstance(job, str):
        return job, None
    definition = find_definition(job)
    return definition.name, definition


def _event(
    request: KickOffRequest, spool: ParamsSpool, orchestration_id: str, settings: Settings, stores: Stores
) -> OrchestrationStarted:
    options = request.options
    count = shares.share_count(
        spool.total, options.parallelism, settings.max_parallelism, settings.default_parallelism
    )
    service = request.service(settings)
    # The digest and the count in the keys decide the bytes of both objects. So a second kick-off under the
    # same idempotency key, whose params may be equal in another order of keys, replaces none by other bytes.
    folder = f"{payload_folder(service, orchestration_id)}/{spool.digest[:16]}"
    return OrchestrationStarted(
        orchestration_id=orchestration_id,
        job_name=request.job_name,
        service=service,
        total=spool.total,
        parallelism=max(1, count),
        params_key=f"{folder}/params.jsonl" if count else "",
        params_digest=spool.params_digest,
        shares_key=f"{folder}/shares-{count}.jsonl" if count else "",
        rerun_indices_key=_indices_key(folder, request.rerun_indices),
        retry=options.retry,
        idempotency_key=options.key,
        tags=dict(options.tags),
        notify=options.notify or None,
        then=options.then,
        by=stores.actor,
        **_times(options, stores.clock()),
        **_lineage(request, orchestration_id).lineage(),
    )


def _indices_key(folder: str, indices: str) -> str:
    """Return the key of the object with *indices*, which decide it; empty where there are none."""
    return f"{folder}/rerun-{sha256(indices.encode()).hexdigest()[:16]}.txt" if indices else ""


def _times(options: KickOffOptions, now: datetime) -> dict[str, Any]:
    timeout = options.timeout
    return {"at": now, "deadline": None if timeout is None else now + timedelta(seconds=timeout)}


def _lineage(request: KickOffRequest, orchestration_id: str) -> Lineage:
    lineage = request.lineage or Lineage(parent_id=request.options.parent_id)
    if (then := request.options.then) is None:
        return lineage
    pipeline_id = lineage.pipeline_id or orchestration_id
    return lineage.model_copy(update={"pipeline_id": pipeline_id, "stages_left": then.depth})


def _differences(holder: OrchestrationStarted, started: OrchestrationStarted) -> list[str]:
    """Return in what *started* differs from *holder*, which was read from the log."""
    written = OrchestrationStarted.model_validate_json(started.model_dump_json(exclude_none=True))
    one, other = (event.model_dump(mode="json", include=set(_COMPARED)) for event in (holder, written))
    return [
        text for name, text in _COMPARED.items() if canonical_json(one[name]) != canonical_json(other[name])
    ]


def params_writer(definition: JobDefinition | None) -> Callable[[int, object], bytes]:
    """Return what writes params as a line of JSON, and raises InvalidParams unless they fit the job.

    Raises InvalidJob if the annotations of the job cannot be read.
    """
    return partial(write_params, job_type=definition.params_type if definition else None)


def _refuse_job_name(name: str) -> None:
    if not 1 <= len(name) <= limits.JOB_NAME_CHARACTERS:
        raise InvalidKickOff(f"A job name has 1 to {limits.JOB_NAME_CHARACTERS} characters, not {len(name)}.")
    if storable(name) != name:
        raise InvalidKickOff("The job name has characters that are no text (UTF-8).")
    if not name.isprintable():  # it is a variable of the container, which cannot hold every character
        raise InvalidKickOff(f"The job name {name!r} has characters that cannot be printed.")


def refuse_service(name: str, known: tuple[str, ...]) -> None:
    """Raise InvalidKickOff if no service can have this *name*, or if others are *known*."""
    if known and name not in known:
        raise InvalidKickOff(
            f"There is no service {name!r} in this environment. It has: {', '.join(known)}. "
            "Check the spelling, or add it to the environment (environments.py) and deploy."
        )
    if not re.fullmatch(SERVICE_NAME, name):
        raise InvalidKickOff(explain_service(name))
