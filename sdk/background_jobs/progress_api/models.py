"""The models that only HTTP has: parts of addresses, bodies of requests, and problems."""

from typing import Annotated, Any

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from background_jobs.core.bounds import ORCHESTRATION_ID, JobName, Reason
from background_jobs.core.options import KickOffOptions, RerunOptions
from background_jobs.core.schedules.options import ScheduleOptions

OrchestrationId = Annotated[str, Path(pattern=ORCHESTRATION_ID, description="The orchestration's UUID.")]


class Problem(BaseModel):
    """Why a request was refused, and what to do."""

    error: str
    message: str


class KickOffBody(KickOffOptions):
    """The job, the params and the options of a kick-off."""

    job_name: JobName
    params: list[dict[str, Any]] = Field(description="One job instance for each.")


class RerunBody(RerunOptions):
    """Which instances are to run again, and how."""


class ScheduleBody(ScheduleOptions):
    """The job, the params and the options of a schedule."""

    job_name: JobName
    params: list[dict[str, Any]] = Field(default=[{}], min_length=1, description="One job instance for each.")


class CancelBody(BaseModel):
    """Why an orchestration is to end."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason = ""
