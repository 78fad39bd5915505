"""A pipeline and its stages as JSON."""

from collections.abc import Iterable

from pydantic import BaseModel, Field

from background_jobs.core.statuses import OrchestrationStatus
from background_jobs.core.views.orchestration import OrchestrationView


def group_stages(views: Iterable[OrchestrationView]) -> list[list[OrchestrationView]]:
    """Return *views*, newest first, in groups: those of one pipeline together, in the place of its newest."""
    groups: dict[str, list[OrchestrationView]] = {}
    for view in views:
        groups.setdefault(view.pipeline_id or view.orchestration_id, []).append(view)
    return list(groups.values())


class StageView(BaseModel):
    """One stage of a pipeline."""

    number: int
    job_name: str
    orchestration: OrchestrationView | None = Field(description="Null while it was not started.")
    skipped: str | None = Field(description="Why it will not be started; null unless that is so.")


class PipelineView(BaseModel):
    """A pipeline with all its stages, those that are still to come included."""

    pipeline_id: str
    status: OrchestrationStatus
    stages: list[StageView]
