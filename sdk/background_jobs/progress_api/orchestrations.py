"""The routes that read and change orchestrations; each is one call of the service or of a room."""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any, Final, cast

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import AwareDatetime

from background_jobs.aws.stores import Stores
from background_jobs.core.bounds import Customer, JobName, PageSize
from background_jobs.core.limits import PAGE
from background_jobs.core.options import KickOffOptions, RerunOptions, keywords_of
from background_jobs.core.outcomes import Failure, Success
from background_jobs.core.statuses import State, Status
from background_jobs.core.views.answers import (
    CancelAnswer,
    FailureView,
    OrchestrationPage,
    Started,
    SuccessView,
)
from background_jobs.core.views.causes import FailureDigest
from background_jobs.core.views.live import OrchestrationView, indices_in_states
from background_jobs.core.views.throughput import Throughput, count_throughput
from background_jobs.orchestration_service import OrchestrationService
from background_jobs.orchestration_service.results import digest, read_outcomes_at
from background_jobs.orchestration_service.watching import current_summary
from background_jobs.progress_api.instance_story import story_of
from background_jobs.progress_api.models import (
    CancelRequest,
    FailurePage,
    Instance,
    InstanceDetail,
    InstancePage,
    KickOffBody,
    OrchestrationId,
    Problem,
    RerunBody,
    SuccessPage,
)

router = APIRouter(prefix="/orchestrations", tags=["orchestrations"])

Limit = Annotated[PageSize, Query(description="The most that one page holds.")]
FromIndex = Annotated[int, Query(ge=0, le=2**31, description="Where the page begins: an instance's index.")]

_STATES: Final[dict[Status, set[State]]] = {
    Status.IN_PROGRESS: {State.WAITING, State.RUNNING, State.BACKING_OFF},
    Status.COMPLETED: {State.COMPLETED},
    Status.ERRORED: {State.ERRORED},
}
_GONE: Final[dict[int | str, dict[str, Any]]] = {
    410: {"model": Problem, "description": "The params or results have expired."}
}
_CONFLICT: Final[dict[int | str, dict[str, Any]]] = {
    409: {"model": Problem, "description": "The key belongs to an orchestration with other contents."}
}


def _stores(request: Request) -> Stores:
    return cast("Stores", request.app.state.stores)


def _service(request: Request) -> OrchestrationService:
    return cast("OrchestrationService", request.app.state.service)


@router.post("", status_code=201, responses=_CONFLICT)
def kick_off(body: KickOffBody, request: Request) -> Started:
    """Start one job instance for each of the params."""
    orchestration = _service(request).kick_off_job(
        body.job_name, body.params, **keywords_of(KickOffOptions, body)
    )
    return Started(orchestration_id=orchestration.id, job_name=orchestration.job_name)


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
    """Return where an orchestration stands."""
    return OrchestrationView.of(current_summary(orchestration_id, _stores(request)), datetime.now(UTC))


@router.post("/{orchestration_id}/cancel")
def cancel(orchestration_id: OrchestrationId, body: CancelRequest, request: Request) -> CancelAnswer:
    """Ask for the end; what has no outcome yet is Errored as Cancelled."""
    return CancelAnswer(found=_service(request).orchestration(orchestration_id).cancel(body.reason))


@router.post("/{orchestration_id}/rerun", status_code=201, responses={**_GONE, **_CONFLICT})
def rerun(orchestration_id: OrchestrationId, body: RerunBody, request: Request) -> Started:
    """Kick off a new orchestration with the params of the failures, or with all."""
    orchestration = _service(request).rerun(orchestration_id, **keywords_of(RerunOptions, body))
    return Started(orchestration_id=orchestration.id, job_name=orchestration.job_name)


@router.get("/{orchestration_id}/instances")
def instances(
    orchestration_id: OrchestrationId,
    request: Request,
    status: Status | None = None,
    from_index: FromIndex = 0,
    limit: Limit = PAGE,
) -> InstancePage:
    """List instances in the order of their indices, all or those of one status."""
    current_summary(orchestration_id, _stores(request))
    model = _stores(request).read_model.read_snapshot(orchestration_id)
    states = _STATES[status] if status else set(State)
    found = list(islice((i for i in indices_in_states(model, states) if i >= from_index), limit + 1))
    page = [Instance.of(orchestration_id, index, model.rank(index)) for index in found[:limit]]
    return InstancePage(instances=page, next_index=_next(found, limit))


@router.get("/{orchestration_id}/instances/{index}", responses=_GONE)
def instance(orchestration_id: OrchestrationId, index: int, request: Request) -> InstanceDetail:
    """Return one instance with its params, its outcome, and all that happened to it."""
    stores = _stores(request)
    started = stores.event_log.read_started(orchestration_id)
    if not 0 <= index < started.total:
        raise HTTPException(404, f"The instances of this orchestration are 0 to {started.total - 1}.")
    return story_of(started, index, stores)


@router.get("/{orchestration_id}/results", responses=_GONE)
def results(
    orchestration_id: OrchestrationId, request: Request, from_index: FromIndex = 0, limit: Limit = PAGE
) -> SuccessPage:
    """List the successes that there are by now, with params and result."""
    found, page = _ended(_stores(request), orchestration_id, State.COMPLETED, from_index, limit)
    successes = [SuccessView.of(one) for one in page if isinstance(one, Success)]
    return SuccessPage(successes=successes, next_index=_next(found, limit))


@router.get("/{orchestration_id}/failures", responses=_GONE)
def failures(
    orchestration_id: OrchestrationId, request: Request, from_index: FromIndex = 0, limit: Limit = PAGE
) -> FailurePage:
    """List the failures that there are by now, with params, error and traceback."""
    found, page = _ended(_stores(request), orchestration_id, State.ERRORED, from_index, limit)
    failed = [FailureView.of(one) for one in page if isinstance(one, Failure)]
    return FailurePage(failures=failed, next_index=_next(found, limit))


@router.get("/{orchestration_id}/causes", responses=_GONE)
def causes(orchestration_id: OrchestrationId, request: Request) -> FailureDigest:
    """Group the failures by what caused them, with the params that those of a cause share."""
    return digest(orchestration_id, _stores(request))


@router.get("/{orchestration_id}/timeline")
def timeline(orchestration_id: OrchestrationId, request: Request) -> Throughput:
    """Count the outcomes over time; the stream goes on where this ends, at its version."""
    stores = _stores(request)
    summary = current_summary(orchestration_id, stores)
    return count_throughput(stores.read_model.read_feed(orchestration_id, after=0), summary)


def _ended(
    stores: Stores, orchestration_id: str, state: State, from_index: int, limit: int
) -> tuple[list[int], Iterable[Success | Failure]]:
    started = stores.event_log.read_started(orchestration_id)
    model = stores.read_model.read_snapshot(orchestration_id)
    found = list(islice((i for i in indices_in_states(model, {state}) if i >= from_index), limit + 1))
    return found, read_outcomes_at(started, found[:limit], stores)


def _next(found: list[int], limit: int) -> int | None:
    return found[limit] if len(found) > limit else None
