"""The outcomes of job instances as JSON, alone and in pages."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from background_jobs.core.events import FailedAttempt, JobError
from background_jobs.core.outcomes import Failure, Success
from background_jobs.core.views.page import Page


class OutcomeView(BaseModel):
    """The fields that successes and failures have in common."""

    model_config = ConfigDict(from_attributes=True)

    index: int
    job_id: str
    params: dict[str, Any]
    attempts: int
    started_at: datetime | None
    ended_at: datetime


class SuccessView(OutcomeView):
    """A job instance that returned."""

    result: Any

    @classmethod
    def of(cls, success: Success) -> Self:
        """Return the view of *success*, its result as plain JSON."""
        return cls(**dict(OutcomeView.model_validate(success)), result=success.result_json)


class FailureView(OutcomeView):
    """A job instance that gave up, with what is known of the reason."""

    error: JobError
    failed_attempts: list[FailedAttempt]
    log: str

    @classmethod
    def of(cls, failure: Failure) -> Self:
        """Return the view of *failure*."""
        return cls.model_validate(failure)


class SuccessPage(Page[SuccessView]):
    """A page of successes, in the order of the params."""


class FailurePage(Page[FailureView]):
    """A page of failures, in the order of the params."""
