"""The events of the log: a closed union, each with a key that is its identity.

The partition and sort key of an event follow from what happened, so that appending it twice is harmless,
and so that a job instance can have one outcome only (Completed and Errored share a key).
"""

from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

from background_jobs.core import ids
from background_jobs.core.delays import DelayReason
from background_jobs.core.lineage import Lineage, Rerun
from background_jobs.core.retry import Retry
from background_jobs.core.stages import Stage

PARTITION_SIZE: Final = 250
"""Job instances per log partition: far below DynamoDB's 1,000 writes a second, and read in one query."""


RERUN: Final = "rerun#"
"""How the sort keys of all reruns of an orchestration begin."""


class EventKey(NamedTuple):
    """Where an event lives in the log; its identity."""

    partition: str
    sort: str


def job_partition(orchestration_id: str, index: int) -> str:
    """Return the log partition of job instance *index*.

    >>> job_partition("7c0e", 251)
    '7c0e#jobs#00001'
    """
    return f"{orchestration_id}#jobs#{index // PARTITION_SIZE:05d}"


class PayloadRef(BaseModel):
    """A JSON document that is too large for an event, kept in the payload bucket."""

    model_config = ConfigDict(frozen=True)

    key: str
    bytes: str | None = None
    """The part of the object that is the document, as an HTTP byte range; the whole object if None."""


class JobError(BaseModel):
    """Why an attempt failed, or a job instance gave up."""

    model_config = ConfigDict(frozen=True)

    type: str
    """The exception's class, with its module unless built in: ``ValueError``, ``requests.HTTPError``."""
    message: str
    traceback: str = ""
    """As Python prints it, from the job's own frame on; its middle is cut when it is very long."""


class FailedAttempt(BaseModel):
    """An attempt that came to nothing, as its instance's outcome remembers it."""

    model_config = ConfigDict(frozen=True)

    attempt: int
    at: AwareDatetime
    type: str
    message: str


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1] = 1
    orchestration_id: str
    at: AwareDatetime


class OrchestrationStarted(_Event, Lineage):
    """A kick-off happened: this one write makes it real, and seals how many instances there are."""

    type: Literal["OrchestrationStarted"] = "OrchestrationStarted"
    job_name: str
    service: str
    total: int = Field(ge=0)
    parallelism: int = Field(ge=1)
    params_key: str = ""
    """The object of params, one JSON object a line; empty when there are none."""
    params_digest: str
    """SHA-256 of that object, as hexadecimal digits."""
    shares_key: str = ""
    """The manifest that the state machine fans out over, one share a line; empty when there are none."""
    retry: Retry | None = None
    """Overrides the job's own."""
    deadline: AwareDatetime | None = None
    """When the orchestration's timeout ends it; None for never."""
    idempotency_key: str | None = None
    then: Stage | None = None
    """What follows once it has completed."""
    tags: dict[str, str] = Field(default_factory=dict)

    @property
    def key(self) -> EventKey:
        """Return the event's identity."""
        return started_key(self.orchestration_id)


class OrchestrationCancelled(_Event):
    """Somebody asked for the end: what has no outcome by then is to be Errored as Cancelled."""

    type: Literal["OrchestrationCancelled"] = "OrchestrationCancelled"
    reason: str = ""

    @property
    def key(self) -> EventKey:
        """Return the event's identity."""
        return cancelled_key(self.orchestration_id)


class OrchestrationCompleted(_Event, Lineage):
    """Every job instance has its outcome; *at* is the time of the last one."""

    type: Literal["OrchestrationCompleted"] = "OrchestrationCompleted"
    job_name: str
    service: str
    total: int
    completed: int
    errored: int
    cancelled: bool = False
    """Whether it was cancelled before it had completed."""
    started_at: AwareDatetime
    tags: dict[str, str] = Field(default_factory=dict)

    @property
    def key(self) -> EventKey:
        """Return the event's identity."""
        return EventKey(self.orchestration_id, "orchestration#completed")


class StageSkipped(_Event):
    """The stage that was to follow an orchestration was not started."""

    type: Literal["StageSkipped"] = "StageSkipped"
    job_name: str
    """The job of the stage."""
    reason: str

    @property
    def key(self) -> EventKey:
        """Return the event's identity."""
        return skipped_key(self.orchestration_id)


class RerunRequested(_Event):
    """Instances of an orchestration are to run again; written just before the rerun is kicked off."""

    type: Literal["RerunRequested"] = "RerunRequested"
    rerun_id: str
    only: Rerun

    @property
    def key(self) -> EventKey:
        """Return the event's identity."""
        return EventKey(self.orchestration_id, f"{RERUN}{self.rerun_id}")


class ContainerStarted(_Event):
    """A container took up a share; *launch* counts from 0, so that anything above is a relaunch."""

    type: Literal["ContainerStarted"] = "ContainerStarted"
    share: int
    launch: int
    first: int
    last: int
    log: str = ""
    """Where its output goes: ``<log group>/<log stream>``, or a file offline; empty if not known."""
    cpu: int | None = None
    memory_mib: int | None = None
    """The size of its task, in units of 1/1,024 vCPU and in MiB; None where it has none."""

    @property
    def key(self) -> EventKey:
        """Return the event's identity."""
        return EventKey(self.orchestration_id, f"container#{self.share:05d}#{self.launch:03d}")


class ContainerEnded(_Event):
    """A container ended by itself; one that was lost never says so."""

    type: Literal["ContainerEnded"] = "ContainerEnded"
    share: int
    launch: int
    status: int
    """Its exit status: 0 when every instance of the share has its outcome."""

    @property
    def key(self) -> EventKey:
        """Return the event's identity."""
        return EventKey(self.orchestration_id, f"container#{self.share:05d}#{self.launch:03d}#ended")


class ShareDelayed(_Event):
    """The container of a share could not be launched for now; it is tried again."""

    type: Literal["ShareDelayed"] = "ShareDelayed"
    share: int
    number: int
    """Which report of the share this is, from 0."""
    reason: DelayReason
    detail: str
    """What AWS said."""

    @property
    def key(self) -> EventKey:
        """Return the event's identity."""
        return EventKey(self.orchestration_id, f"delay#{self.share:05d}#{self.number:03d}")


class OrchestrationStalled(_Event):
    """Nothing has moved for longer than the stage allows; a warning, after which it may well go on."""

    type: Literal["OrchestrationStalled"] = "OrchestrationStalled"
    job_name: str
    moved_at: AwareDatetime
    """When something moved last."""
    tags: dict[str, str] = Field(default_factory=dict)
    reasons: list[str] = Field(default_factory=list)
    """Why instances wait, as far as the log tells."""

    @property
    def key(self) -> EventKey:
        """Return the event's identity: each standstill is warned of once."""
        return EventKey(self.orchestration_id, f"orchestration#stalled#{self.moved_at:%Y-%m-%dT%H:%M:%S.%f}")


class _JobEvent(_Event):
    index: int = Field(ge=0)

    @property
    def job_id(self) -> str:
        """Return the id of the job instance."""
        return ids.job_id(self.orchestration_id, self.index)


class JobStarted(_JobEvent):
    """Attempt *attempt* (from 1) of a job instance began in launch *launch* of its container."""

    type: Literal["JobStarted"] = "JobStarted"
    attempt: int = Field(ge=1)
    launch: int = 0

    @property
    def key(self) -> EventKey:
        """Return the event's identity."""
        return EventKey(
            job_partition(self.orchestration_id, self.index), f"started#{self.index:08d}#{self.attempt:03d}"
        )


class JobAttemptFailed(_JobEvent):
    """Attempt *attempt* of a job instance came to nothing, and another is to follow."""

    type: Literal["JobAttemptFailed"] = "JobAttemptFailed"
    attempt: int = Field(ge=1)
    error: JobError
    retry_at: AwareDatetime
    counts: bool = True
    """Whether it takes one of the job's attempts; an attempt that was interrupted from outside does not."""

    @property
    def key(self) -> EventKey:
        """Return the event's identity."""
        return EventKey(
            job_partition(self.orchestration_id, self.index), f"failed#{self.index:08d}#{self.attempt:03d}"
        )

    def remembered(self) -> FailedAttempt:
        """Return what the outcome remembers of it."""
        return FailedAttempt(
            attempt=self.attempt, at=self.at, type=self.error.type, message=self.error.message
        )


class JobProgressed(_JobEvent):
    """Attempt *attempt* of a job instance said how far it is."""

    type: Literal["JobProgressed"] = "JobProgressed"
    attempt: int = Field(ge=1)
    percent: int = Field(ge=0, le=100)
    message: str = ""

    @property
    def key(self) -> EventKey:
        """Return the event's identity."""
        partition = job_partition(self.orchestration_id, self.index)
        return EventKey(partition, f"progress#{self.index:08d}#{self.attempt:03d}#{self.percent:03d}")


class _JobOutcome(_JobEvent):
    attempts: int = Field(ge=0)
    started_at: AwareDatetime | None = None
    """When the last attempt began; None if none ever did."""

    @property
    def key(self) -> EventKey:
        """Return the event's identity; an instance has one outcome."""
        return outcome_key(self.orchestration_id, self.index)


class JobCompleted(_JobOutcome):
    """A job instance returned."""

    type: Literal["JobCompleted"] = "JobCompleted"
    result: Any = None
    """What `run` returned, as JSON; None when it is in *result_ref*."""
    result_ref: PayloadRef | None = None


class JobErrored(_JobOutcome):
    """A job instance gave up: its attempts are spent, or it may not be retried."""

    type: Literal["JobErrored"] = "JobErrored"
    job_name: str
    params: dict[str, Any] | None = None
    """The params that caused it; None when they are in *params_ref*."""
    params_ref: PayloadRef | None = None
    error: JobError
    failed_attempts: tuple[FailedAttempt, ...] = ()
    """The attempts before the last one, oldest first; the last ten where there were more."""
    log: str = ""
    """Where the log of its container is; empty if it never had one."""


JobOutcome = JobCompleted | JobErrored
JobEvent = JobStarted | JobAttemptFailed | JobProgressed | JobCompleted | JobErrored
OrchestrationEvent = (
    OrchestrationStarted
    | OrchestrationCancelled
    | OrchestrationCompleted
    | OrchestrationStalled
    | StageSkipped
    | RerunRequested
    | ContainerStarted
    | ContainerEnded
    | ShareDelayed
)
"""What happens to an orchestration as a whole and to its containers; all of it in one partition."""
Event = OrchestrationEvent | JobEvent

_EVENT: Final[TypeAdapter[Event]] = TypeAdapter(Annotated[Event, Field(discriminator="type")])


def parse_event(document: str | bytes) -> Event:
    """Read an event of any released version from its JSON.

    Raises pydantic.ValidationError if *document* is not an event.
    """
    return _EVENT.validate_json(document)


def schema_of_events() -> dict[str, Any]:
    """Return the JSON Schema of every event of the log."""
    return _EVENT.json_schema(mode="serialization")


def started_key(orchestration_id: str) -> EventKey:
    """Return the place of the event that makes a kick-off real."""
    return EventKey(orchestration_id, "orchestration#started")


def cancelled_key(orchestration_id: str) -> EventKey:
    """Return the place of the event that asks for the end."""
    return EventKey(orchestration_id, "orchestration#cancelled")


def skipped_key(orchestration_id: str) -> EventKey:
    """Return the place of the event that says why the next stage was not started."""
    return EventKey(orchestration_id, "orchestration#next")


def outcome_key(orchestration_id: str, index: int) -> EventKey:
    """Return the place of the one outcome of job instance *index*."""
    return EventKey(job_partition(orchestration_id, index), f"outcome#{index:08d}")
