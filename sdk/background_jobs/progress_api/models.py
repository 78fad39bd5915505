"""What the API takes and gives, beside the options in `core.options` and the views in `core.views`."""

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from background_jobs.core import ids
from background_jobs.core.bounds import ORCHESTRATION_ID, JobName, Reason
from background_jobs.core.events import JobError
from background_jobs.core.options import KickOffOptions, RerunOptions
from background_jobs.core.schedules.options import ScheduleOptions
from background_jobs.core.statuses import State, Status, attempt_of, state_of, status_of
from background_jobs.core.views.answers import FailureView, SuccessView

OrchestrationId = Annotated[str, Path(pattern=ORCHESTRATION_ID, description="The orchestration's UUID.")]


class Problem(BaseModel):
    """Why a request was refused, and what to do."""

    error: str
    message: str


class KickOffBody(KickOffOptions):
    """What `OrchestrationService.kick_off_job` takes."""

    job_name: JobName
    params: list[dict[str, Any]] = Field(description="One job instance for each.")


class RerunBody(RerunOptions):
    """Which instances are to run again, and how."""


class ScheduleBody(ScheduleOptions):
    """What `OrchestrationService.schedule_job` takes."""

    job_name: JobName
    params: list[dict[str, Any]] = Field(default=[{}], min_length=1, description="One job instance for each.")


class CancelRequest(BaseModel):
    """Why an orchestration is to end."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason = ""


class Instance(BaseModel):
    """Where one job instance stands."""

    index: int
    job_id: str
    status: Status
    state: State
    attempt: int | None = Field(description="The attempt that runs or failed; null once it is final.")

    @classmethod
    def of(cls, orchestration_id: str, index: int, rank: int) -> Self:
        """Return the instance at *index*, at *rank*."""
        return cls(
            index=index,
            job_id=ids.job_id(orchestration_id, index),
            status=status_of(rank),
            state=state_of(rank),
            attempt=attempt_of(rank) or None,
        )


class InstancePage(BaseModel):
    """Some instances, in the order of their indices."""

    instances: list[Instance]
    next_index: int | None = Field(description="Where the next page begins; null at the end.")


class SuccessPage(BaseModel):
    """Some successes, in the order of the params."""

    successes: list[SuccessView]
    next_index: int | None = Field(description="Where the next page begins; null at the end.")


class FailurePage(BaseModel):
    """Some failures, in the order of the params."""

    failures: list[FailureView]
    next_index: int | None = Field(description="Where the next page begins; null at the end.")


class InstanceEvent(BaseModel):
    """Something that happened to a job instance."""

    at: datetime
    type: str
    attempt: int | None = None
    detail: str = ""
    traceback: str = Field(default="", description="Of an attempt that another one followed.")
    started_at: datetime | None = Field(default=None, description="When the attempt of an outcome began.")
    retry_at: datetime | None = Field(default=None, description="When the attempt after a failed one is due.")


class InstanceDetail(BaseModel):
    """One job instance: where it stands, its params, and all that happened to it."""

    instance: Instance
    params: dict[str, Any]
    result: Any = None
    error: JobError | None = None
    log: str
    events: list[InstanceEvent]
