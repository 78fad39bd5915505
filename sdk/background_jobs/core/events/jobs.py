"""The events of job instances; they have no key of their own, but lie in blocks (`core.blocks`)."""

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from background_jobs.core import ids
from background_jobs.core.bounds import ErrorMessage, ErrorType, Place, ProgressMessage, Traceback
from background_jobs.core.events.base import LogEvent, PayloadRef

__all__ = [
    "ClaimAnnounced",
    "FailedAttempt",
    "InstancesClaimed",
    "JobAttemptFailed",
    "JobCompleted",
    "JobError",
    "JobErrored",
    "JobEvent",
    "JobOutcome",
    "JobProgressed",
    "JobStarted",
]


class JobError(BaseModel):
    """Why an attempt failed, or a job instance gave up."""

    model_config = ConfigDict(frozen=True)

    type: ErrorType
    """The exception's class, with its module unless built in: ``ValueError``, ``requests.HTTPError``."""
    message: ErrorMessage
    traceback: Traceback = ""
    """As Python prints it, from the job's own frame on; its middle is cut when it is very long."""


class FailedAttempt(BaseModel):
    """An attempt that failed, as the outcome of its instance keeps it."""

    model_config = ConfigDict(frozen=True)

    attempt: int
    at: AwareDatetime
    type: ErrorType
    message: ErrorMessage


class _JobEvent(LogEvent):
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


class JobAttemptFailed(_JobEvent):
    """Attempt *attempt* of a job instance failed, and another is to follow."""

    type: Literal["JobAttemptFailed"] = "JobAttemptFailed"
    attempt: int = Field(ge=1)
    error: JobError
    retry_at: AwareDatetime
    counts: bool = True
    """Whether it takes one of the job's attempts; an attempt that was interrupted from outside does not."""

    def summarize(self) -> FailedAttempt:
        """Return the attempt as the outcome of its instance keeps it."""
        return FailedAttempt(
            attempt=self.attempt, at=self.at, type=self.error.type, message=self.error.message
        )


class JobProgressed(_JobEvent):
    """Attempt *attempt* of a job instance reported its progress."""

    type: Literal["JobProgressed"] = "JobProgressed"
    attempt: int = Field(ge=1)
    percent: int = Field(ge=0, le=100)
    message: ProgressMessage = ""


class _JobOutcome(_JobEvent):
    attempts: int = Field(ge=0)
    started_at: AwareDatetime | None = None
    """When the last attempt began; None if none ever did."""


class JobCompleted(_JobOutcome):
    """A job instance returned."""

    type: Literal["JobCompleted"] = "JobCompleted"
    result: Any = None
    """What `run` returned, as JSON; None when it is in *result_ref*."""
    result_ref: PayloadRef | None = None
    hedged_by: int | None = None
    """The share whose container ran a copy of the instance that was done first; None where its own did."""


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
    log: Place = ""
    """Where the log of its container is; empty if it never had one."""


class ClaimAnnounced(_JobEvent):
    """The container of a share is about to claim the instances *first* to *last* of another one.

    *index* is the first instance of its own share. The claim is the block *sequence* of the instances
    *from_first* to *from_last*, or it is never made: so whoever takes the share over can tell, or make it.
    """

    type: Literal["ClaimAnnounced"] = "ClaimAnnounced"
    share: int = Field(ge=0)
    first: int = Field(ge=0)
    last: int = Field(ge=0)
    from_first: int = Field(ge=0)
    from_last: int = Field(ge=0)
    sequence: int = Field(ge=0)


class InstancesClaimed(_JobEvent):
    """From here on the instances *index* to *last* belong to the container of *share*, which had time left.

    None of them had begun. What happens to them is in the blocks of a range of their own.
    """

    type: Literal["InstancesClaimed"] = "InstancesClaimed"
    last: int = Field(ge=0)
    share: int = Field(ge=0)


JobOutcome = JobCompleted | JobErrored
JobEvent = (
    JobStarted
    | JobAttemptFailed
    | JobProgressed
    | JobCompleted
    | JobErrored
    | ClaimAnnounced
    | InstancesClaimed
)
