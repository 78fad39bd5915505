"""Following an orchestration in the read model: one small read now and then, however many instances."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec

from background_jobs.aws.stores import Stores
from background_jobs.core.fold import fold
from background_jobs.core.read_model import Advance, ReadModel, Summary, Transition
from background_jobs.core.statuses import State
from background_jobs.core.views.instances import indices_in_states
from background_jobs.core.views.stream_events import SnapshotEvent
from background_jobs.orchestration_service.deadlines import Deadline
from background_jobs.orchestration_service.steps import Emit, Pause, Steps, Task, call


@dataclass(frozen=True, slots=True)
class Update:
    """The changes since the update before."""

    summary: Summary
    transitions: tuple[Transition, ...]
    """The instances that changed their state, oldest first; the first update has all that do not wait."""
    advances: tuple[Advance, ...] = ()
    """The running instances that reported progress; the first update has the latest progress of all."""


def streaming_is_installed() -> bool:
    """Tell whether the extra ``watch`` is installed, which reads server-sent events."""
    return find_spec("httpx2") is not None


def current_summary(orchestration_id: str, stores: Stores) -> Summary:
    """Return how an orchestration stands; from the log alone while nothing was folded yet.

    Raises OrchestrationNotFound.
    """
    summary = stores.read_model.read_summary(orchestration_id)
    if summary.total is not None:
        return summary
    return fold(ReadModel(summary), [stores.event_log.read_started(orchestration_id)]).model.summary


def wait_until_final(
    orchestration_id: str,
    stores: Stores,
    deadline: Deadline,
    meanwhile: Callable[[Summary], None] | None = None,
) -> Task[Summary]:
    """Return the summary once every instance is final; *meanwhile* is called with each one before that.

    Raises OrchestrationNotFound or TimeoutError.
    """
    while True:
        summary = yield from call(lambda: current_summary(orchestration_id, stores))
        if summary.all_final:
            return summary
        deadline.check(summary)
        if meanwhile is not None:
            yield from call(partial(meanwhile, summary))
        yield Pause(deadline.choose_pause(summary))


def follow_read_model(
    orchestration_id: str, stores: Stores, deadline: Deadline, after: Summary | None = None
) -> Steps[Update]:
    """Emit an update now and whenever something changed, until all instances are final.

    With *after*, only what has changed since then is emitted. Raises OrchestrationNotFound or TimeoutError.
    """
    if after is not None and after.total is not None:
        summary = after
    else:
        update = yield from call(lambda: read_first_update(orchestration_id, stores))
        yield Emit(update)
        summary = update.summary
    while not summary.all_final:
        deadline.check(summary)
        yield Pause(deadline.choose_pause())
        if next_update := (yield from call(partial(read_next_update, summary, stores))):
            yield Emit(next_update)
            summary = next_update.summary


def read_first_update(orchestration_id: str, stores: Stores) -> Update:
    """Return how all instances stand. Raises OrchestrationNotFound."""
    model, now = stores.read_model.read_snapshot(orchestration_id), datetime.now(UTC)
    if model.summary.total is None:
        return Update(current_summary(orchestration_id, stores), ())
    transitions = (
        Transition(index, model.rank(index), now)
        for index in indices_in_states(model, set(State) - {State.WAITING})
    )
    advances = (
        Advance(view.index, view.attempt, view.percent, view.message, now)
        for view in SnapshotEvent.of(model, now).progress
    )
    return Update(model.summary, tuple(transitions), tuple(advances))


def read_next_update(before: Summary, stores: Stores) -> Update | None:
    """Return what changed after *before*; None if nothing did."""
    summary = current_summary(before.orchestration_id, stores)
    if summary.version == before.version:
        return None
    feed = [
        item
        for item in stores.read_model.read_feed(before.orchestration_id, after=before.version)
        if item.version <= summary.version
    ]
    return Update(
        summary,
        tuple(transition for item in feed for transition in item.transitions),
        tuple(advance for item in feed for advance in item.advances),
    )
