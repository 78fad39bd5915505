"""What the API answers and the command line prints as JSON, beside the views of `core.live`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from background_jobs.core.events import FailedAttempt, JobError
from background_jobs.core.fold import Summary
from background_jobs.core.outcomes import Failure, Success
from background_jobs.core.planning.costs import Bill
from background_jobs.core.statuses import Status
from background_jobs.core.views.event_history import EventHistory
from background_jobs.core.views.live import OrchestrationView


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


class StageView(BaseModel):
    """One stage of a pipeline."""

    number: int
    job_name: str
    orchestration: OrchestrationView | None = Field(description="Null while it was not started.")
    skipped: str | None = Field(description="Why it will not be started; null unless that is so.")


class PipelineView(BaseModel):
    """A pipeline with all its stages, those that are still to come included."""

    pipeline_id: str
    status: Status
    stages: list[StageView]


class OrchestrationDetail(BaseModel):
    """All that is told of one orchestration: how it stands, what happened, its stages and its price."""

    orchestration: OrchestrationView
    story: EventHistory
    stages: list[StageView] = Field(description="Those of its pipeline; itself alone where it is in none.")
    bill: Bill = Field(
        description="At list prices, for the size that containers told, or else 0.5 vCPU and 1 GB."
    )


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
