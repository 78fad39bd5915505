"""Reading an orchestration's story, and why it waits, from the log and the read model."""

from datetime import UTC, datetime

from background_jobs.aws.stores import Stores
from background_jobs.core.events import OrchestrationStarted
from background_jobs.core.statuses import State
from background_jobs.core.views.event_history import EventHistory, event_history_of
from background_jobs.core.views.live import indices_in_states
from background_jobs.core.views.waits import Containers, Wait, explain_waits


def read_event_history(orchestration_id: str, stores: Stores) -> EventHistory:
    """Return what happened so far, in three kinds of reads: the whole, the failed attempts, the statuses.

    Raises OrchestrationNotFound.
    """
    started = stores.event_log.read_started(orchestration_id)
    events = stores.event_log.read_orchestration(orchestration_id)
    return event_history_of(
        events,
        failed_attempts=stores.event_log.count_failed_attempts(orchestration_id, started.total),
        waits=_waits(started, Containers.among(events), stores),
        now=datetime.now(UTC),
    )


def read_waits(orchestration_id: str, stores: Stores) -> list[Wait]:
    """Return why instances wait; nothing where none does. Raises OrchestrationNotFound."""
    started = stores.event_log.read_started(orchestration_id)
    return _waits(started, stores.event_log.read_containers(orchestration_id), stores)


def _waits(started: OrchestrationStarted, containers: Containers, stores: Stores) -> list[Wait]:
    model = stores.read_model.read_snapshot(started.orchestration_id)
    if model.summary.total is None:
        return explain_waits(started, containers, range(started.total))
    return explain_waits(started, containers, indices_in_states(model, {State.WAITING}))
