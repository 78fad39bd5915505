"""The routes that say more of an orchestration: its event history, why it waits, and its pipeline."""

from fastapi import APIRouter

from background_jobs.core.views.event_history import EventHistory
from background_jobs.core.views.orchestration import CancelAnswer
from background_jobs.core.views.page import Page
from background_jobs.core.views.pipeline import PipelineView
from background_jobs.core.views.waits import Wait
from background_jobs.progress_api.callers import RequestCaller
from background_jobs.progress_api.json_bodies import JsonRoute
from background_jobs.progress_api.models import OptionalCancel, OrchestrationId

router = APIRouter(
    prefix="/orchestrations/{orchestration_id}", tags=["orchestrations"], route_class=JsonRoute
)


class WaitPage(Page[Wait]):
    """Why instances wait, all of it in one page; empty where none does."""


@router.get("/event-history")
def show_event_history(orchestration_id: OrchestrationId, caller: RequestCaller) -> EventHistory:
    """Return what happened so far: a timeline, the containers, and why instances wait."""
    return caller.orchestration(orchestration_id).event_history()


@router.get("/waits")
def list_waits(orchestration_id: OrchestrationId, caller: RequestCaller) -> WaitPage:
    """Return why instances wait, and since when."""
    return WaitPage(items=caller.orchestration(orchestration_id).waits())


@router.get("/pipeline")
def show_pipeline(orchestration_id: OrchestrationId, caller: RequestCaller) -> PipelineView:
    """Return the pipeline that an orchestration is a stage of; one without stages is its own."""
    return caller.pipeline(orchestration_id).view()


@router.post("/pipeline/cancel")
def cancel_pipeline(
    orchestration_id: OrchestrationId, caller: RequestCaller, body: OptionalCancel
) -> CancelAnswer:
    """Cancel the stage that runs, and keep the one after it from starting."""
    return CancelAnswer(found=caller.pipeline_to_change(orchestration_id).cancel(body.reason))
