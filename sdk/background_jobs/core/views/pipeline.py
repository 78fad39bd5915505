"""A pipeline and its stages as JSON."""

from pydantic import BaseModel, Field

from background_jobs.core.statuses import Status
from background_jobs.core.views.orchestration import OrchestrationView


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
