"""Reading what happened to an orchestration, how fast it went, and why its instances wait."""

from datetime import UTC, datetime

from background_jobs.aws.stores import Stores
from background_jobs.core.events import OrchestrationStarted
from background_jobs.core.statuses import State
from background_jobs.core.views.event_history import EventHistory, build_event_history
from background_jobs.core.views.instances import indices_in_states
from background_jobs.core.views.throughput import Throughput, count_throughput
from background_jobs.core.views.waits import Containers, Wait, explain_waits
from background_jobs.orchestration_service.watching import current_summary


def read_event_history(orchestration_id: str, stores: Stores) -> EventHistory:
    """Return the event history so far, from the events, the number of failed attempts and the statuses.

    Raises OrchestrationNotFound.
    """
    started = stores.event_log.read_started(orchestration_id)
    told = stores.event_log.read_orchestration(orchestration_id)
    failed_attempts, later = stores.event_log.read_failed_and_later(orchestration_id, started.total)
    return build_event_history(
        told.events,
        failed_attempts=failed_attempts,
        waits=_find_waits(started, Containers.among(told.events), stores),
        later=[*told.later, *later],
        now=datetime.now(UTC),
    )


def read_waits(orchestration_id: str, stores: Stores) -> list[Wait]:
    """Return why instances wait; an empty list where none does. Raises OrchestrationNotFound."""
    started = stores.event_log.read_started(orchestration_id)
    return _find_waits(started, stores.event_log.read_containers(orchestration_id), stores)


def read_throughput(orchestration_id: str, stores: Stores) -> Throughput:
    """Return the outcomes so far, counted over time. Raises OrchestrationNotFound."""
    summary = current_summary(orchestration_id, stores)
    return count_throughput(stores.read_model.read_feed(orchestration_id, after=0), summary)


def _find_waits(started: OrchestrationStarted, containers: Containers, stores: Stores) -> list[Wait]:
    model = stores.read_model.read_snapshot(started.orchestration_id)
    if model.summary.total is None:
        return explain_waits(started, containers, range(started.total))
    return explain_waits(started, containers, indices_in_states(model, {State.WAITING}))
