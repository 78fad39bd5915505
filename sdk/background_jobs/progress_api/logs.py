"""The routes that read what containers wrote."""

from typing import Annotated

from fastapi import APIRouter, Query

from background_jobs.core.bounds import Moment
from background_jobs.core.limits import LOG_PAGE, LONGEST_LOG_PAGE
from background_jobs.core.views.logs import LogPage
from background_jobs.progress_api.callers import RequestCaller
from background_jobs.progress_api.models import OrchestrationId

router = APIRouter(prefix="/orchestrations/{orchestration_id}", tags=["orchestrations"])

_NextToken = Annotated[
    str, Query(max_length=8_192, description="That of the page before; without it, the last lines are read.")
]
_Limit = Annotated[int, Query(ge=1, le=LONGEST_LOG_PAGE, description="The most lines that one page has.")]
_Since = Annotated[Moment | None, Query(description="Written then or later.")]
_Everything = Annotated[bool, Query(description="Whether the SDK's own lines are among the others.")]


@router.get("/logs")
def show_logs(  # noqa: PLR0913, PLR0917 -- which lines are wanted
    orchestration_id: OrchestrationId,
    caller: RequestCaller,
    next_token: _NextToken = "",
    limit: _Limit = LOG_PAGE,
    since: _Since = None,
    everything: _Everything = False,  # noqa: FBT002 -- a parameter of the address
) -> LogPage:
    """Return the last lines that the containers of an orchestration wrote, or what came after a page."""
    return caller.orchestration(orchestration_id).log_page(
        next_token=next_token, limit=limit, since=since, everything=everything
    )


@router.get("/instances/{index}/logs")
def show_instance_logs(  # noqa: PLR0913, PLR0917 -- which lines are wanted
    orchestration_id: OrchestrationId,
    index: int,
    caller: RequestCaller,
    next_token: _NextToken = "",
    limit: _Limit = LOG_PAGE,
    since: _Since = None,
    everything: _Everything = False,  # noqa: FBT002 -- a parameter of the address
) -> LogPage:
    """Return the last lines that one instance wrote, or what came after a page."""
    return caller.orchestration(orchestration_id).log_page(
        index, next_token=next_token, limit=limit, since=since, everything=everything
    )
