"""The events of orchestrations as a whole, and of their containers; each has one partition for them."""

from typing import Final, Literal

from pydantic import AwareDatetime, Field

from background_jobs.core import limits
from background_jobs.core.bounds import Actor, CancelReason, ErrorMessage, Note, Place, Traceparent
from background_jobs.core.containers.delays import DelayReason
from background_jobs.core.events.base import LogEvent
from background_jobs.core.lineage import Lineage, Rerun
from background_jobs.core.retry import Retry
from background_jobs.core.stages import Stage

__all__ = [
    "CANCELLED",
    "COMPLETED",
    "RERUN",
    "SKIPPED",
    "STARTED",
    "ContainerEnded",
    "ContainerStarted",
    "OrchestrationCancelled",
    "OrchestrationCompleted",
    "OrchestrationEvent",
    "OrchestrationStalled",
    "OrchestrationStarted",
    "RerunRequested",
    "ShareDelayed",
    "StageSkipped",
]

STARTED: Final = "orchestration#started"
"""The sort key of the event that makes a kick-off real."""
CANCELLED: Final = "orchestration#cancelled"
"""The sort key of a cancellation."""
COMPLETED: Final = "orchestration#completed"
"""The sort key of the event that every instance has its outcome."""
SKIPPED: Final = "orchestration#next"
"""The sort key of the event that says why the next stage was not started."""
RERUN: Final = "rerun#"
"""How the sort keys of all reruns of an orchestration begin."""


class OrchestrationStarted(LogEvent, Lineage):
    """A kick-off happened: this one write makes it real, and seals how many instances there are."""

    type: Literal["OrchestrationStarted"] = "OrchestrationStarted"
    job_name: str
    service: str
    total: int = Field(ge=0, le=limits.INSTANCES)
    parallelism: int = Field(ge=1)
    params_key: str = ""
    """The object of params, one JSON object a line; empty when there are none."""
    params_digest: str
    """SHA-256 of the params, one a line, as hexadecimal digits; with a key, of their canonical JSON."""
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
    notify: tuple[str, ...] | None = None
    """The channels that hear of the end; None for none."""
    traceparent: Traceparent | None = None
    """The span of the kick-off, as the W3C's Trace Context writes it; None where nothing was traced."""
    rerun_indices_key: str = ""
    """The object with the indices, in the parent, of selected instances, as ``0-99,250``; else empty."""
    by: Actor = ""
    """Who asked for it; empty where that is not known."""

    @property
    def may_move(self) -> bool:
        """Tell whether instances may move between shares: there are some, of more than one instance."""
        return self.total > self.parallelism > 1

    @property
    def sort_key(self) -> str:
        """Return the event's identity among those of its orchestration."""
        return STARTED


class OrchestrationCancelled(LogEvent):
    """Somebody cancelled the orchestration: instances without an outcome are to be Errored as Cancelled."""

    type: Literal["OrchestrationCancelled"] = "OrchestrationCancelled"
    reason: CancelReason = ""
    by: Actor = ""
    """Who asked for it; empty where that is not known."""

    @property
    def sort_key(self) -> str:
        """Return the event's identity among those of its orchestration."""
        return CANCELLED


class OrchestrationCompleted(LogEvent, Lineage):
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
    def sort_key(self) -> str:
        """Return the event's identity among those of its orchestration."""
        return COMPLETED


class StageSkipped(LogEvent):
    """The stage that was to follow an orchestration was not started."""

    type: Literal["StageSkipped"] = "StageSkipped"
    job_name: str
    """The job of the stage."""
    reason: ErrorMessage

    @property
    def sort_key(self) -> str:
        """Return the event's identity among those of its orchestration."""
        return SKIPPED


class RerunRequested(LogEvent):
    """Instances of an orchestration are to run again; written just before the rerun is kicked off."""

    type: Literal["RerunRequested"] = "RerunRequested"
    rerun_id: str
    only: Rerun
    cause: str | None = None
    """The id of the cause whose failures run again; None where none was named."""
    by: Actor = ""
    """Who asked for it; empty where that is not known."""

    @property
    def sort_key(self) -> str:
        """Return the event's identity among those of its orchestration."""
        return f"{RERUN}{self.rerun_id}"


class ContainerStarted(LogEvent):
    """A container took up a share; *launch* counts from 0, so that anything above is a relaunch."""

    type: Literal["ContainerStarted"] = "ContainerStarted"
    share: int
    launch: int
    first: int
    last: int
    log: Place = ""
    """Where its output goes: ``<log group>/<log stream>``, or a file offline; empty if not known."""
    cpu: int | None = None
    memory_mib: int | None = None
    """The size of its task, in units of 1/1,024 vCPU and in MiB; None where it has none."""
    capacity_provider: Place = ""
    """That of ECS, on which it runs; empty for Fargate on demand, and where none is known."""
    task_definition: Place = ""
    """The revision that it runs, ``<family>:<revision>``; empty if not known."""
    warm: bool = False
    """Whether a warm worker took the share up; its log then has other shares before it and after it."""

    @property
    def sort_key(self) -> str:
        """Return the event's identity among those of its orchestration."""
        return f"container#{self.share:05d}#{self.launch:03d}"


class ContainerEnded(LogEvent):
    """A container ended by itself; a lost container has no such event."""

    type: Literal["ContainerEnded"] = "ContainerEnded"
    share: int
    launch: int
    status: int
    """Its exit status: 0 when every instance of the share has its outcome."""

    @property
    def sort_key(self) -> str:
        """Return the event's identity among those of its orchestration."""
        return f"container#{self.share:05d}#{self.launch:03d}#ended"


class ShareDelayed(LogEvent):
    """The container of a share could not be launched for now, or was lost; it is tried again.

    It is not appended for each try, but when the reason is another than before.
    """

    type: Literal["ShareDelayed"] = "ShareDelayed"
    share: int
    number: int
    """Which report of the share this is, from 0."""
    reason: DelayReason
    detail: Note
    """What AWS said."""
    advice: Note = ""
    """What the user can do about it; empty where nothing is known."""
    log: Place = ""
    """Where the container that was lost wrote, as in ContainerStarted; empty where none ran, or not known."""

    @property
    def sort_key(self) -> str:
        """Return the event's identity among those of its orchestration."""
        return f"delay#{self.share:05d}#{self.number:03d}"


class OrchestrationStalled(LogEvent):
    """Nothing has moved for longer than the environment allows; a warning, after which work may go on."""

    type: Literal["OrchestrationStalled"] = "OrchestrationStalled"
    job_name: str
    moved_at: AwareDatetime
    """When something moved last."""
    tags: dict[str, str] = Field(default_factory=dict)
    reasons: list[Note] = Field(default_factory=list)
    """Why instances wait, as far as the log tells."""

    @property
    def sort_key(self) -> str:
        """Return the event's identity among those of its orchestration: each standstill is warned of once."""
        return f"orchestration#stalled#{self.moved_at:%Y-%m-%dT%H:%M:%S.%f}"


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
