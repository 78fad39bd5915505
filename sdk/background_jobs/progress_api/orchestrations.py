"""The routes that read and change orchestrations; each makes one call of its caller or of a handle."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from background_jobs.core.bounds import Customer, JobName, PageSize
from background_jobs.core.limits import PAGE
from background_jobs.core.statuses import OrchestrationStatus, Status
from background_jobs.core.views.causes import FailureDigest
from background_jobs.core.views.instances import InstanceDetail, InstancePage
from background_jobs.core.views.orchestration import (
    CancelAnswer,
    KickOffAnswer,
    OrchestrationCounts,
    OrchestrationPage,
    OrchestrationView,
)
from background_jobs.core.views.outcomes import FailurePage, SuccessPage
from background_jobs.core.views.throughput import Throughput
from background_jobs.progress_api.callers import RequestCaller
from background_jobs.progress_api.models import (
    CancelBody,
    KickOffBody,
    OrchestrationId,
    Problem,
    RerunBody,
)

router = APIRouter(prefix="/orchestrations", tags=["orchestrations"])

Limit = Annotated[PageSize, Query(description="The most that one page holds.")]
FromIndex = Annotated[int, Query(ge=0, le=2**31, description="Where the page begins: an instance's index.")]

_GONE: Final[dict[int | str, dict[str, Any]]] = {
    410: {"model": Problem, "description": "The params or results have expired."}
}
_CONFLICT: Final[dict[int | str, dict[str, Any]]] = {
    409: {"model": Problem, "description": "The key belongs to an orchestration with other contents."}
}


@router.post("", status_code=201, responses=_CONFLICT)
def kick_off(body: KickOffBody, caller: RequestCaller) -> KickOffAnswer:
    """Start one job instance for each of the params."""
    orchestration = caller.kick_off(body)
    return KickOffAnswer(orchestration_id=orchestration.id, job_name=orchestration.job_name)


@router.get("")
def list_orchestrations(  # noqa: PLR0913, PLR0917 -- the filters of a list
    caller: RequestCaller,
    job_name: Annotated[JobName | None, Query()] = None,
    status: OrchestrationStatus | None = None,
    customer: Annotated[Customer | None, Query(description="The value of the tag `customer`.")] = None,
    since: Annotated[AwareDatetime | None, Query(description="Started then or later.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Started then or earlier.")] = None,
    limit: Limit = PAGE,
    next_token: Annotated[str | None, Query(max_length=2_048)] = None,
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
def counts(caller: RequestCaller) -> OrchestrationCounts:
    """Count the orchestrations that need a look: in progress, standing still, waiting, and errored."""
    return caller.counts()


@router.get("/{orchestration_id}")
def show(orchestration_id: OrchestrationId, caller: RequestCaller) -> OrchestrationView:
    """Return how an orchestration stands."""
    return caller.orchestration(orchestration_id).view()


@router.post("/{orchestration_id}/cancel")
def cancel(orchestration_id: OrchestrationId, body: CancelBody, caller: RequestCaller) -> CancelAnswer:
    """Ask for the end; what has no outcome yet is Errored as Cancelled."""
    return CancelAnswer(found=caller.orchestration_to_change(orchestration_id).cancel(body.reason))


@router.post("/{orchestration_id}/rerun", status_code=201, responses={**_GONE, **_CONFLICT})
def rerun(orchestration_id: OrchestrationId, body: RerunBody, caller: RequestCaller) -> KickOffAnswer:
    """Kick off a new orchestration with the params of the failures, or with all."""
    orchestration = caller.rerun(orchestration_id, body)
    return KickOffAnswer(orchestration_id=orchestration.id, job_name=orchestration.job_name)


@router.get("/{orchestration_id}/instances")
def instances(
    orchestration_id: OrchestrationId,
    caller: RequestCaller,
    status: Status | None = None,
    from_index: FromIndex = 0,
    limit: Limit = PAGE,
) -> InstancePage:
    """List instances in the order of their indices, all or those of one status."""
    return caller.orchestration(orchestration_id).instances(status, from_index, limit)


@router.get("/{orchestration_id}/instances/{index}", responses=_GONE)
def instance(orchestration_id: OrchestrationId, index: int, caller: RequestCaller) -> InstanceDetail:
    """Return one instance with its params, its outcome and its event history."""
    return caller.orchestration(orchestration_id).instance(index)


@router.get("/{orchestration_id}/results", responses=_GONE)
def results(
    orchestration_id: OrchestrationId, caller: RequestCaller, from_index: FromIndex = 0, limit: Limit = PAGE
) -> SuccessPage:
    """List the successes that there are by now, with params and result."""
    return caller.orchestration(orchestration_id).successes(from_index, limit)


@router.get("/{orchestration_id}/failures", responses=_GONE)
def failures(
    orchestration_id: OrchestrationId, caller: RequestCaller, from_index: FromIndex = 0, limit: Limit = PAGE
) -> FailurePage:
    """List the failures that there are by now, with params, error and traceback."""
    return caller.orchestration(orchestration_id).failures(from_index, limit)


@router.get("/{orchestration_id}/causes", responses=_GONE)
def causes(orchestration_id: OrchestrationId, caller: RequestCaller) -> FailureDigest:
    """Group the failures by cause, with the params that those of a cause share."""
    return caller.orchestration(orchestration_id).digest()


@router.get("/{orchestration_id}/throughput")
def throughput(orchestration_id: OrchestrationId, caller: RequestCaller) -> Throughput:
    """Count the outcomes over time; the stream goes on where this ends, at its version."""
    return caller.orchestration(orchestration_id).throughput()
