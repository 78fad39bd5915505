"""The routes that read and change orchestrations; each makes one call of the service or of a handle."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, cast

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime

from background_jobs.core.bounds import Customer, JobName, PageSize
from background_jobs.core.limits import PAGE
from background_jobs.core.options import KickOffOptions, RerunOptions, keywords_of
from background_jobs.core.statuses import Status
from background_jobs.core.views.causes import FailureDigest
from background_jobs.core.views.instances import InstanceDetail, InstancePage
from background_jobs.core.views.orchestration import (
    CancelAnswer,
    KickOffAnswer,
    OrchestrationPage,
    OrchestrationView,
)
from background_jobs.core.views.outcomes import FailurePage, SuccessPage
from background_jobs.core.views.throughput import Throughput
from background_jobs.orchestration_service import Orchestration, OrchestrationService
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


def _service(request: Request) -> OrchestrationService:
    return cast("OrchestrationService", request.app.state.service)


def _orchestration(orchestration_id: str, request: Request) -> Orchestration:
    return _service(request).orchestration(orchestration_id)


@router.post("", status_code=201, responses=_CONFLICT)
def kick_off(body: KickOffBody, request: Request) -> KickOffAnswer:
    """Start one job instance for each of the params."""
    orchestration = _service(request).kick_off_job(
        body.job_name, body.params, **keywords_of(KickOffOptions, body)
    )
    return KickOffAnswer(orchestration_id=orchestration.id, job_name=orchestration.job_name)


@router.get("")
def list_orchestrations(  # noqa: PLR0913, PLR0917 -- the filters of a list
    request: Request,
    job_name: Annotated[JobName | None, Query()] = None,
    status: Status | None = None,
    customer: Annotated[Customer | None, Query(description="The value of the tag `customer`.")] = None,
    since: Annotated[AwareDatetime | None, Query(description="Started then or later.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Started then or earlier.")] = None,
    limit: Limit = PAGE,
    next_token: Annotated[str | None, Query(max_length=2_048)] = None,
) -> OrchestrationPage:
    """List orchestrations, newest first."""
    page = _service(request).history(
        job_name=job_name,
        status=status,
        customer=customer,
        since=since,
        until=until,
        limit=limit,
        next_token=next_token,
    )
    return OrchestrationPage.of(page.summaries, page.next_token, datetime.now(UTC))


@router.get("/{orchestration_id}")
def show(orchestration_id: OrchestrationId, request: Request) -> OrchestrationView:
    """Return how an orchestration stands."""
    return _orchestration(orchestration_id, request).view()


@router.post("/{orchestration_id}/cancel")
def cancel(orchestration_id: OrchestrationId, body: CancelBody, request: Request) -> CancelAnswer:
    """Ask for the end; what has no outcome yet is Errored as Cancelled."""
    return CancelAnswer(found=_orchestration(orchestration_id, request).cancel(body.reason))


@router.post("/{orchestration_id}/rerun", status_code=201, responses={**_GONE, **_CONFLICT})
def rerun(orchestration_id: OrchestrationId, body: RerunBody, request: Request) -> KickOffAnswer:
    """Kick off a new orchestration with the params of the failures, or with all."""
    orchestration = _service(request).rerun(orchestration_id, **keywords_of(RerunOptions, body))
    return KickOffAnswer(orchestration_id=orchestration.id, job_name=orchestration.job_name)


@router.get("/{orchestration_id}/instances")
def instances(
    orchestration_id: OrchestrationId,
    request: Request,
    status: Status | None = None,
    from_index: FromIndex = 0,
    limit: Limit = PAGE,
) -> InstancePage:
    """List instances in the order of their indices, all or those of one status."""
    return _orchestration(orchestration_id, request).instances(status, from_index, limit)


@router.get("/{orchestration_id}/instances/{index}", responses=_GONE)
def instance(orchestration_id: OrchestrationId, index: int, request: Request) -> InstanceDetail:
    """Return one instance with its params, its outcome and its event history."""
    return _orchestration(orchestration_id, request).instance(index)


@router.get("/{orchestration_id}/results", responses=_GONE)
def results(
    orchestration_id: OrchestrationId, request: Request, from_index: FromIndex = 0, limit: Limit = PAGE
) -> SuccessPage:
    """List the successes that there are by now, with params and result."""
    return _orchestration(orchestration_id, request).successes(from_index, limit)


@router.get("/{orchestration_id}/failures", responses=_GONE)
def failures(
    orchestration_id: OrchestrationId, request: Request, from_index: FromIndex = 0, limit: Limit = PAGE
) -> FailurePage:
    """List the failures that there are by now, with params, error and traceback."""
    return _orchestration(orchestration_id, request).failures(from_index, limit)


@router.get("/{orchestration_id}/causes", responses=_GONE)
def causes(orchestration_id: OrchestrationId, request: Request) -> FailureDigest:
    """Group the failures by cause, with the params that those of a cause share."""
    return _orchestration(orchestration_id, request).digest()


@router.get("/{orchestration_id}/throughput")
def throughput(orchestration_id: OrchestrationId, request: Request) -> Throughput:
    """Count the outcomes over time; the stream goes on where this ends, at its version."""
    return _orchestration(orchestration_id, request).throughput()
