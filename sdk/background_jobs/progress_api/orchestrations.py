"""The routes that read and change orchestrations; each makes one call of its caller or of a handle."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from background_jobs.core.bounds import CauseId, Customer, JobName, Moment
from background_jobs.core.errors import KickOffConflict, PayloadNotFound
from background_jobs.core.limits import PAGE
from background_jobs.core.statuses import OrchestrationStatus, Status
from background_jobs.core.views.causes import CausePage
from background_jobs.core.views.instances import InstanceDetail, InstancePage
from background_jobs.core.views.orchestration import (
    CancelAnswer,
    KickOffAnswer,
    OrchestrationCounts,
    OrchestrationPage,
    OrchestrationView,
)
from background_jobs.core.views.outcomes import FailurePage, SuccessPage
from background_jobs.core.views.rerun_preview import RerunPreview
from background_jobs.core.views.throughput import Throughput
from background_jobs.progress_api.callers import RequestCaller
from background_jobs.progress_api.json_bodies import JsonRoute
from background_jobs.progress_api.models import (
    KickOffBody,
    Limit,
    NextToken,
    OptionalCancel,
    OptionalRerun,
    OrchestrationId,
    locate,
)
from background_jobs.progress_api.problems import problems

router = APIRouter(prefix="/orchestrations", tags=["orchestrations"], route_class=JsonRoute)

Index = Annotated[int, Path(description="The instance's index; the first is 0.")]
Cause = Annotated[CauseId | None, Query(description="Those whose failure has the cause of this id.")]


@router.post("", status_code=201, responses=problems(KickOffConflict))
def kick_off_job(
    body: KickOffBody, caller: RequestCaller, request: Request, response: Response
) -> KickOffAnswer:
    """Start one job instance for each of the params."""
    orchestration = caller.kick_off(body)
    response.headers["location"] = locate(request, f"orchestrations/{orchestration.id}")
    return KickOffAnswer(orchestration_id=orchestration.id, job_name=orchestration.job_name)


@router.get("")
def list_orchestrations(  # noqa: PLR0913, PLR0917 -- the filters of a list
    caller: RequestCaller,
    job_name: Annotated[JobName | None, Query()] = None,
    status: OrchestrationStatus | None = None,
    customer: Annotated[Customer | None, Query(description="The value of the tag `customer`.")] = None,
    since: Annotated[Moment | None, Query(description="Started then or later.")] = None,
    until: Annotated[Moment | None, Query(description="Started then or earlier.")] = None,
    limit: Limit = PAGE,
    next_token: NextToken = None,
) -> OrchestrationPage:
    """List orchestrations, newest first."""
    return caller.history(
        job_name=job_name,
        status=status,
        customer=customer,
        since=since,
        until=until,
        limit=limit,
        next_token=next_token,
    )


@router.get("/counts")
def count_orchestrations(caller: RequestCaller) -> OrchestrationCounts:
    """Count the orchestrations that need a look: in progress, standing still, waiting, and errored."""
    return caller.counts()


@router.get("/{orchestration_id}")
def show_orchestration(orchestration_id: OrchestrationId, caller: RequestCaller) -> OrchestrationView:
    """Return how an orchestration stands."""
    return caller.orchestration(orchestration_id).view()


@router.post("/{orchestration_id}/cancel")
def cancel_orchestration(
    orchestration_id: OrchestrationId, caller: RequestCaller, body: OptionalCancel
) -> CancelAnswer:
    """Ask for the end; what has no outcome yet is Errored as Cancelled."""
    return CancelAnswer(found=caller.orchestration_to_change(orchestration_id).cancel(body.reason))


@router.post(
    "/{orchestration_id}/rerun", status_code=201, responses=problems(PayloadNotFound, KickOffConflict)
)
def rerun_orchestration(
    orchestration_id: OrchestrationId,
    caller: RequestCaller,
    body: OptionalRerun,
    request: Request,
    response: Response,
) -> KickOffAnswer:
    """Run instances again in a new orchestration: by default what failed, or what the body names."""
    orchestration = caller.rerun(orchestration_id, body)
    response.headers["location"] = locate(request, f"orchestrations/{orchestration.id}")
    return KickOffAnswer(orchestration_id=orchestration.id, job_name=orchestration.job_name)


@router.post("/{orchestration_id}/rerun/preview", responses=problems(PayloadNotFound))
def preview_rerun(
    orchestration_id: OrchestrationId, caller: RequestCaller, body: OptionalRerun
) -> RerunPreview:
    """Say what a rerun with the same body would run, and start nothing."""
    return caller.preview_rerun(orchestration_id, body)


@router.get("/{orchestration_id}/instances")
def list_instances(  # noqa: PLR0913, PLR0917 -- the filters of a page
    orchestration_id: OrchestrationId,
    caller: RequestCaller,
    status: Status | None = None,
    cause: Cause = None,
    limit: Limit = PAGE,
    next_token: NextToken = None,
) -> InstancePage:
    """List instances in the order of their indices: all, or those of one status or cause."""
    return caller.orchestration(orchestration_id).instances(
        status, cause=cause, limit=limit, next_token=next_token
    )


@router.get("/{orchestration_id}/instances/{index}", responses=problems(PayloadNotFound))
def show_instance(orchestration_id: OrchestrationId, index: Index, caller: RequestCaller) -> InstanceDetail:
    """Return one instance with its params, its outcome and its event history."""
    return caller.orchestration(orchestration_id).instance(index)


@router.get("/{orchestration_id}/results", responses=problems(PayloadNotFound))
def list_results(
    orchestration_id: OrchestrationId,
    caller: RequestCaller,
    limit: Limit = PAGE,
    next_token: NextToken = None,
) -> SuccessPage:
    """List the successes that there are by now, with params and result."""
    return caller.orchestration(orchestration_id).successes(limit=limit, next_token=next_token)


@router.get("/{orchestration_id}/failures", responses=problems(PayloadNotFound))
def list_failures(
    orchestration_id: OrchestrationId,
    caller: RequestCaller,
    cause: Cause = None,
    limit: Limit = PAGE,
    next_token: NextToken = None,
) -> FailurePage:
    """List the failures that there are by now, all or of one cause, with params, error and traceback."""
    return caller.orchestration(orchestration_id).failures(cause=cause, limit=limit, next_token=next_token)


@router.get("/{orchestration_id}/causes", responses=problems(PayloadNotFound))
def list_causes(
    orchestration_id: OrchestrationId,
    caller: RequestCaller,
    limit: Limit = PAGE,
    next_token: NextToken = None,
) -> CausePage:
    """List the causes of the failures, the most frequent first, with the params that those of each share."""
    return caller.orchestration(orchestration_id).causes(limit=limit, next_token=next_token)


@router.get("/{orchestration_id}/throughput")
def show_throughput(orchestration_id: OrchestrationId, caller: RequestCaller) -> Throughput:
    """Count the outcomes over time; the stream goes on where this ends, at its version."""
    return caller.orchestration(orchestration_id).throughput()
