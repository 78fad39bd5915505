"""Reading the containers of an orchestration, and what they have cost."""

from datetime import UTC, datetime

from background_jobs.aws.stores import Stores
from background_jobs.core.read_model import Summary
from background_jobs.core.views.containers import (
    ContainerPage,
    ContainerState,
    ContainerView,
    find_early_loss,
    page_containers,
    view_containers,
)
from background_jobs.core.views.cost import Cost, estimate_cost_so_far
from background_jobs.core.views.waits import Containers
from background_jobs.orchestration_service.watching import current_summary


def read_containers(summary: Summary, stores: Stores, now: datetime) -> list[ContainerView]:
    """Return every launch of an orchestration by share and launch, as of *now*."""
    return _view(stores.event_log.read_containers(summary.orchestration_id), summary, now)


def _view(events: Containers, summary: Summary, now: datetime) -> list[ContainerView]:
    cancelled = summary.cancelled_at is not None
    return view_containers(events, completed_at=summary.completed_at, cancelled=cancelled, now=now)


def read_container_page(
    orchestration_id: str,
    state: ContainerState | None,
    limit: int,
    next_token: str | None,
    stores: Stores,
) -> ContainerPage:
    """Return a page of launches, all or those in *state*. Raises OrchestrationNotFound or InvalidToken."""
    summary, now = current_summary(orchestration_id, stores), datetime.now(UTC)
    events = stores.event_log.read_containers(orchestration_id)
    return page_containers(
        _view(events, summary, now),
        began_at=summary.started_at or now,
        now=now,
        limit=limit,
        next_token=next_token,
        state=state,
        early_loss=find_early_loss(events),
    )


def read_cost(orchestration_id: str, stores: Stores, *, is_offline: bool) -> Cost:
    """Return an estimate of what an orchestration has cost so far. Raises OrchestrationNotFound."""
    summary, now = current_summary(orchestration_id, stores), datetime.now(UTC)
    return estimate_cost_so_far(
        read_containers(summary, stores, now),
        total=summary.total or 0,
        completed_at=summary.completed_at,
        now=now,
        is_offline=is_offline,
    )
