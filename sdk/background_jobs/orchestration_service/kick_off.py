"""Kicking off: params to the bucket, then the one write that makes it real."""

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter, ValidationError

from background_jobs.aws.stores import Stores
from background_jobs.core import ids
from background_jobs.core.containers import shares
from background_jobs.core.containers.variables import SERVICE_NAME
from background_jobs.core.errors import (
    EventConflict,
    InvalidKickOff,
    InvalidParams,
    KickOffConflict,
    UnknownJobName,
)
from background_jobs.core.events import OrchestrationStarted
from background_jobs.core.lineage import Lineage
from background_jobs.core.payload_keys import payload_folder
from background_jobs.core.payloads import storable
from background_jobs.core.retry import Retry
from background_jobs.core.stages import Stage, walk_stages
from background_jobs.core.tags import CUSTOMER_TAG
from background_jobs.jobs import JobDefinition, find_definition
from background_jobs.orchestration_service.params_spool import ParamsSpool
from background_jobs.settings import Settings

_MAX_KEY: Final = 256
_MAX_JOB_NAME: Final = 80
_MAX_TAGS: Final = 4_096
_MAX_CUSTOMER: Final = 1_024
"""Bytes; DynamoDB's indexes have no longer keys than 2,048."""
_MAX_STAGES: Final = 64 * 1024
_MAX_SECONDS: Final = 7 * 86_400
_STAGE: Final = TypeAdapter(Stage)


@dataclass(frozen=True, slots=True, kw_only=True)
class KickOff:
    """What is to be started, but for its params; `OrchestrationService.kick_off_job` says what each means."""

    job_name: str
    definition: JobDefinition | None = None
    parallelism: int | None = None
    key: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    service: str | None = None
    retry: Retry | None = None
    timeout: float | timedelta | None = None
    then: Stage | None = None
    lineage: Lineage = field(default_factory=Lineage)
    known_id: str | None = None
    """The id, where it was known before; by default it follows from the key, or is random."""

    @property
    def seconds(self) -> float | None:
        """Return the timeout in seconds."""
        return self.timeout.total_seconds() if isinstance(self.timeout, timedelta) else self.timeout

    def new_id(self) -> str:
        """Return the id that the orchestration gets."""
        if self.known_id is not None:
            return self.known_id
        return (
            str(uuid.uuid4()) if self.key is None else ids.orchestration_id_for_key(self.job_name, self.key)
        )

    def refuse(self, settings: Settings) -> None:
        """Raise UnknownJobName or InvalidKickOff if it cannot be; params are looked at later."""
        for name in self._names_to_check():
            if settings.job_names and name not in settings.job_names:
                raise UnknownJobName(name, settings.job_names)
        for service in filter(None, (self.service, *(stage.service for stage in walk_stages(self.then)))):
            _refuse_service(service, settings.service_names)
        limit = settings.max_parallelism
        for parallelism in (self.parallelism, *(stage.parallelism for stage in walk_stages(self.then))):
            if parallelism is not None and not 1 <= parallelism <= limit:
                raise InvalidKickOff(
                    f"parallelism={parallelism} must be from 1 to {limit}, the limit of this environment "
                    "(the setting BACKGROUND_JOBS_MAX_PARALLELISM)."
                )
        if self.seconds is not None and not 0 < self.seconds <= _MAX_SECONDS:
            raise InvalidKickOff(
                f"A timeout of {self.seconds} s cannot be: use more than 0, and up to 7 days."
            )
        self._refuse_sizes()

    def _names_to_check(self) -> Iterator[str]:
        yield self.job_name
        # What other services have is not known here.
        yield from (stage.job_name for stage in walk_stages(self.then) if stage.service is None)

    def _refuse_sizes(self) -> None:
        if self.key is not None and not 1 <= len(self.key) <= _MAX_KEY:
            raise InvalidKickOff(f"A key has 1 to {_MAX_KEY} characters, not {len(self.key)}.")
        if not 1 <= len(self.job_name) <= _MAX_JOB_NAME:
            raise InvalidKickOff(f"A job name has 1 to {_MAX_JOB_NAME} characters, not {len(self.job_name)}.")
        texts = [text for tag in self.tags.items() for text in tag]
        if not all(isinstance(text, str) for text in texts) or sum(map(len, texts)) > _MAX_TAGS:
            raise InvalidKickOff(f"tags must map str to str, with up to {_MAX_TAGS} characters in all.")
        if any(storable(text) != text for text in (self.job_name, *texts)):
            raise InvalidKickOff("The job name or a tag has characters that are no text (UTF-8).")
        if len(self.tags.get(CUSTOMER_TAG, "").encode()) > _MAX_CUSTOMER:
            raise InvalidKickOff(
                f"The tag {CUSTOMER_TAG!r}, an index of the history, has up to {_MAX_CUSTOMER} bytes."
            )
        if self.then and (size := len(_STAGE.dump_json(self.then))) > _MAX_STAGES:
            raise InvalidKickOff(
                f"The stages that follow are {size:,} bytes of JSON, and {_MAX_STAGES:,} is the most. "
                "Put large params into S3 and pass their key."
            )


def kick_off(wanted: KickOff, params: Iterable[object], stores: Stores, settings: Settings) -> str:
    """Start one job instance for each object in *params*, and return the id of the orchestration.

    Raises UnknownJobName, InvalidParams, InvalidKickOff or KickOffConflict, and whatever the iterator raises;
    nothing was started then.
    """
    wanted.refuse(settings)
    started = prepared(wanted, params, stores, settings)
    _append(started, stores)
    return started.orchestration_id


def prepared(
    wanted: KickOff, params: Iterable[object], stores: Stores, settings: Settings
) -> OrchestrationStarted:
    """Upload what a kick-off needs, and return the event that will make it real. Raises InvalidParams."""
    with ParamsSpool() as spool:
        spool.fill(params, params_checker(wanted.definition))
        started = _event(wanted, spool, wanted.new_id(), settings)
        if started.total:
            with spool.manifest(started.orchestration_id, started.parallelism) as manifest:
                stores.payloads.upload(started.params_key, spool.file)
                stores.payloads.upload(started.shares_key, manifest)
    return started


def named(job: str | Callable[..., Any]) -> tuple[str, JobDefinition | None]:
    """Return the name of *job*, and its definition where the decorated job itself is given."""
    if isinstance(job, str):
        return job, None
    definition = find_definition(job)
    return definition.name, definition


def _event(
    wanted: KickOff, spool: ParamsSpool, orchestration_id: str, settings: Settings
) -> OrchestrationStarted:
    count = shares.share_count(spool.total, wanted.parallelism, settings.max_parallelism)
    # The names carry what decides the contents: a second kick-off under the same key writes the same bytes,
    # or elsewhere.
    service = wanted.service or settings.service
    folder = f"{payload_folder(service, orchestration_id)}/{spool.digest[:16]}"
    now, seconds = datetime.now(UTC), wanted.seconds
    return OrchestrationStarted(
        orchestration_id=orchestration_id,
        at=now,
        job_name=wanted.job_name,
        service=service,
        total=spool.total,
        parallelism=max(1, count),
        params_key=f"{folder}/params.jsonl" if count else "",
        params_digest=spool.digest,
        shares_key=f"{folder}/shares-{count}.jsonl" if count else "",
        retry=wanted.retry,
        deadline=None if seconds is None else now + timedelta(seconds=seconds),
        idempotency_key=wanted.key,
        tags=dict(wanted.tags),
        then=wanted.then,
        **_lineage(wanted, orchestration_id).lineage(),
    )


def _lineage(wanted: KickOff, orchestration_id: str) -> Lineage:
    if wanted.then is None:
        return wanted.lineage
    pipeline_id = wanted.lineage.pipeline_id or orchestration_id
    return wanted.lineage.model_copy(update={"pipeline_id": pipeline_id, "stages_left": wanted.then.depth})


def _append(started: OrchestrationStarted, stores: Stores) -> None:
    try:
        stores.event_log.for_service(started.service).append(started)
    except EventConflict:
        existing = stores.event_log.read_started(started.orchestration_id)
        names = {
            "total": "the number of params",
            "params_digest": "the params",
            "tags": "the tags",
            "retry": "the retry",
            "then": "what follows",
        }
        differences = [
            said for field, said in names.items() if getattr(existing, field) != getattr(started, field)
        ]
        if differences:
            key = started.idempotency_key or ""
            raise KickOffConflict(started.orchestration_id, key, differences) from None


def params_checker(definition: JobDefinition | None) -> Callable[[int, object], object]:
    """Return what makes params plain, and raises InvalidParams where they do not fit *definition*."""

    def check(index: int, params: object) -> object:
        plain = params.model_dump(mode="json") if isinstance(params, BaseModel) else params
        if definition is not None and isinstance(plain, dict):
            try:
                definition.validated(plain)
            except ValidationError as invalid:
                raise InvalidParams(
                    index, f"they do not fit the job {definition.name!r}: {invalid}"
                ) from invalid
        return plain

    return check


def _refuse_service(name: str, known: tuple[str, ...]) -> None:
    if known and name not in known:
        raise InvalidKickOff(
            f"There is no service {name!r} in this environment. It has: {', '.join(known)}. "
            "Check the spelling, or add it to the environment (environments.py) and deploy."
        )
    if not re.match(SERVICE_NAME, name):
        raise InvalidKickOff(
            f"service={name!r} cannot be: a name has 1 to 40 lower-case letters, digits and hyphens."
        )
