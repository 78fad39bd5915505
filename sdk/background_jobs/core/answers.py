"""What the API answers and the command line prints as JSON, beside the views of `core.live`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from background_jobs.core.events import FailedAttempt, JobError
from background_jobs.core.fold import Summary
from background_jobs.core.live import OrchestrationView
from background_jobs.core.outcomes import Failure, Success


class Started(BaseModel):
    """A kick-off that happened."""

    orchestration_id: str
    job_name: str


class CancelAnswer(BaseModel):
    """What a cancellation found: ``requested``, ``already cancelled`` or ``already done``."""

    found: str


class OrchestrationPage(BaseModel):
    """Some orchestrations, newest first."""

    orchestrations: list[OrchestrationView]
    next_token: str | None = Field(description="Where the next page begins; null at the end.")

    @classmethod
    def of(cls, summaries: Iterable[Summary], next_token: str | None, now: datetime) -> Self:
        """Return *summaries* as of *now*."""
        views = [OrchestrationView.of(summary, now) for summary in summaries]
        return cls(orchestrations=views, next_token=next_token)


class Ended(BaseModel):
    """How a job instance ended."""

    model_config = ConfigDict(from_attributes=True)

    index: int
    job_id: str
    params: dict[str, Any]
    attempts: int
    started_at: datetime | None
    ended_at: datetime


class SuccessView(Ended):
    """A job instance that returned."""

    result: Any

    @classmethod
    def of(cls, success: Success) -> Self:
        """Return *success* as it travels."""
        return cls.model_validate(success)


class FailureView(Ended):
    """A job instance that gave up, with everything about why."""

    error: JobError
    failed_attempts: list[FailedAttempt]
    log: str

    @classmethod
    def of(cls, failure: Failure) -> Self:
        """Return *failure* as it travels."""
        return cls.model_validate(failure)
