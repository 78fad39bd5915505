"""The routes that say what an orchestration ran on: its containers, its cost, and its report."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from background_jobs.core.bounds import ORCHESTRATION_ID
from background_jobs.core.errors import PayloadNotFound
from background_jobs.core.limits import PAGE
from background_jobs.core.views.comparison import Comparison
from background_jobs.core.views.containers import ContainerPage, ContainerState
from background_jobs.core.views.cost import Cost
from background_jobs.progress_api.callers import RequestCaller
from background_jobs.progress_api.models import Limit, NextToken, OrchestrationId
from background_jobs.progress_api.problems import Responses, problems

router = APIRouter(prefix="/orchestrations/{orchestration_id}", tags=["orchestrations"])

_HTML: Final[Responses] = {
    200: {"content": {"text/html": {"schema": {"type": "string"}}}, "description": "A page to be saved."}
}


@router.get("/containers")
def list_containers(
    orchestration_id: OrchestrationId,
    caller: RequestCaller,
    state: ContainerState | None = None,
    limit: Limit = PAGE,
    next_token: NextToken = None,
) -> ContainerPage:
    """List the launches of containers by share and launch, with how each ended, and how many ran at once."""
    return caller.orchestration(orchestration_id).containers(state, limit=limit, next_token=next_token)


@router.get("/cost")
def show_cost(orchestration_id: OrchestrationId, caller: RequestCaller) -> Cost:
    """Estimate what an orchestration has cost so far; offline, what it would cost on AWS."""
    return caller.orchestration(orchestration_id).cost()


@router.get("/comparison", responses=problems(PayloadNotFound))
def compare_orchestrations(
    orchestration_id: OrchestrationId,
    caller: RequestCaller,
    other: Annotated[
        str | None,
        Query(
            pattern=ORCHESTRATION_ID,
            description="The id of the earlier orchestration; by default the one that this one runs again.",
        ),
    ] = None,
) -> Comparison:
    """Compare an orchestration with an earlier one: counts, durations, and causes that are new or gone."""
    if other is not None:
        other = caller.orchestration(other).id
    return caller.orchestration(orchestration_id).compare(other)


@router.get("/report", response_class=Response, responses=_HTML)
def show_report(orchestration_id: OrchestrationId, caller: RequestCaller) -> Response:
    """Return all of an orchestration as one HTML file, which needs no server to be read."""
    headers = {"content-disposition": f'attachment; filename="report-{orchestration_id}.html"'}
    page = caller.orchestration(orchestration_id).report()
    return Response(page, media_type="text/html; charset=utf-8", headers=headers)
