"""The routes that tell more of an orchestration: its story, why it waits, and the pipeline that it is in."""

from datetime import UTC, datetime
from typing import cast

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from background_jobs.core.answers import CancelAnswer
from background_jobs.core.live import OrchestrationView
from background_jobs.core.statuses import Status
from background_jobs.core.story import Story
from background_jobs.core.waiting import Wait
from background_jobs.orchestration_service import OrchestrationService, Pipeline, PipelineStage
from background_jobs.progress_api.models import CancelRequest, OrchestrationId

router = APIRouter(prefix="/orchestrations/{orchestration_id}", tags=["orchestrations"])


class Waits(BaseModel):
    """Why instances wait; empty where none does."""

    waits: list[Wait]


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


def _service(request: Request) -> OrchestrationService:
    return cast("OrchestrationService", request.app.state.service)


@router.get("/story")
def story(orchestration_id: OrchestrationId, request: Request) -> Story:
    """Return what happened so far: a timeline, the containers, and why instances wait."""
    return _service(request).orchestration(orchestration_id).story()


@router.get("/waits")
def waits(orchestration_id: OrchestrationId, request: Request) -> Waits:
    """Return why instances wait, and since when."""
    return Waits(waits=_service(request).orchestration(orchestration_id).waits())


@router.get("/pipeline")
def pipeline(orchestration_id: OrchestrationId, request: Request) -> PipelineView:
    """Return the pipeline that an orchestration is a stage of; one without stages is its own."""
    return _view(_service(request).pipeline(orchestration_id))


@router.post("/pipeline/cancel")
def cancel_pipeline(orchestration_id: OrchestrationId, body: CancelRequest, request: Request) -> CancelAnswer:
    """Cancel the stage that runs, and keep the one after it from starting."""
    return CancelAnswer(found=_service(request).pipeline(orchestration_id).cancel(body.reason))


def _view(pipeline: Pipeline) -> PipelineView:
    stages = pipeline.stages()
    return PipelineView(
        pipeline_id=pipeline.id,
        status=Pipeline.status_of(stages),
        stages=[_stage(stage) for stage in stages],
    )


def _stage(stage: PipelineStage) -> StageView:
    return StageView(
        number=stage.number,
        job_name=stage.job_name,
        orchestration=OrchestrationView.of(stage.summary, datetime.now(UTC)) if stage.summary else None,
        skipped=stage.skipped,
    )
