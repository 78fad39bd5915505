"""What belongs to HTTP alone: the parts of addresses, the bodies of requests, and problems."""

from typing import Annotated, Any

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from background_jobs.core.lineage import Rerun
from background_jobs.core.retry import Retry
from background_jobs.core.stages import Stage

OrchestrationId = Annotated[
    str, Path(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", description="The orchestration's UUID.")
]
PAGE: int = 100
LONGEST_PAGE: int = 1_000


class Problem(BaseModel):
    """Why a request was refused, and what to do."""

    error: str
    message: str


class KickOff(BaseModel):
    """What `OrchestrationService.kick_off_job` takes."""

    model_config = ConfigDict(extra="forbid")

    job_name: str = Field(min_length=1, max_length=80)
    params: list[dict[str, Any]] = Field(description="One job instance for each.")
    parallelism: int | None = Field(default=None, ge=1, le=10_000)
    key: str | None = Field(default=None, min_length=1, max_length=256)
    tags: dict[str, str] = Field(default_factory=dict)
    service: str | None = Field(default=None, min_length=1, max_length=40)
    retry: Retry | None = None
    timeout_seconds: float | None = Field(default=None, gt=0, le=7 * 86_400)
    then: Stage | None = Field(default=None, description="What follows once it has completed.")


class CancelRequest(BaseModel):
    """Why an orchestration is to end."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(default="", max_length=1_000)


class RerunRequest(BaseModel):
    """Which instances are to run again."""

    model_config = ConfigDict(extra="forbid")

    only: Rerun = "failed"
    key: str | None = Field(default=None, min_length=1, max_length=256)
    parallelism: int | None = Field(default=None, ge=1, le=10_000)
    retry: Retry | None = None
    timeout_seconds: float | None = Field(default=None, gt=0, le=7 * 86_400)
