"""Following an orchestration in the read model: one small read now and then, however many instances."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import Final, Self

from background_jobs.aws.stores import Stores
from background_jobs.core.fold import Advance, ReadModel, Summary, Transition, fold
from background_jobs.core.statuses import State
from background_jobs.core.views.live import Snapshot, indices_in_states

_SHORTEST_WAIT: Final = 0.05
_LONGEST_WAIT: Final = 2.0
_PATIENCE: Final = 0.05
"""The share of the time already waited that the next wait takes, between the two bounds."""


@dataclass(frozen=True, slots=True)
class Update:
    """What changed since the update before."""

    summary: Summary
    transitions: tuple[Transition, ...]
    """The instances that moved, oldest first; in the first update, all that do not wait, as they stand."""
    advances: tuple[Advance, ...] = ()
    """The running instances that said how far they are; in the first update, as far as they are."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """Until when somebody is ready to wait for an orchestration."""

    orchestration_id: str
    limit: float | None
    """Seconds; None for ever."""
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def after(cls, timeout: float | timedelta | None, orchestration_id: str) -> Self:
        """Return the deadline *timeout* (seconds, or a timedelta) from now."""
        return cls(orchestration_id, timeout.total_seconds() if isinstance(timeout, timedelta) else timeout)

    @property
    def left(self) -> float | None:
        """Return how many seconds are left; None for ever."""
        return None if self.limit is None else self.limit - (time.monotonic() - self.started)

    def check(self, summary: Summary) -> None:
        """Raise TimeoutError if the time is over."""
        if self.left is not None and self.left <= 0:
            known = (
                f"{summary.completed + summary.errored} of {summary.total} instances have an outcome"
                if summary.total is not None
                else "how it stands was not heard by then"
            )
            raise TimeoutError(
                f"Orchestration {self.orchestration_id} was not done after {self.limit:g} s: {known}. "
                "It goes on; wait again, or re-attach by its id."
            )

    def pause(self) -> float:
        """Return how long to wait before looking again: the longer it takes, the longer."""
        pause = min(_LONGEST_WAIT, max(_SHORTEST_WAIT, (time.monotonic() - self.started) * _PATIENCE))
        return pause if self.left is None else max(0.0, min(pause, self.left))


def streaming_is_installed() -> bool:
    """Tell whether the extra ``watch`` is there, which reads server-sent events."""
    return find_spec("httpx2") is not None


def current_summary(orchestration_id: str, stores: Stores) -> Summary:
    """Return where an orchestration stands; what the log says while nothing was folded yet.

    Raises OrchestrationNotFound.
    """
    summary = stores.read_model.read_summary(orchestration_id)
    if summary.total is not None:
        return summary
    return fold(ReadModel(summary), [stores.event_log.read_started(orchestration_id)]).model.summary


def updates(orchestration_id: str, stores: Stores, deadline: Deadline) -> Iterator[Update]:
    """Yield an update now and whenever something changed, until all instances are final.

    Raises OrchestrationNotFound or TimeoutError.
    """
    update = first_update(orchestration_id, stores)
    yield update
    while not update.summary.all_final:
        deadline.check(update.summary)
        time.sleep(deadline.pause())
        if news := update_since(update.summary, stores):
            update = news
            yield update


def first_update(orchestration_id: str, stores: Stores) -> Update:
    """Return how all instances stand. Raises OrchestrationNotFound."""
    model, now = stores.read_model.read_snapshot(orchestration_id), datetime.now(UTC)
    if model.summary.total is None:
        return Update(current_summary(orchestration_id, stores), ())
    moves = (
        Transition(index, model.rank(index), now)
        for index in indices_in_states(model, set(State) - {State.WAITING})
    )
    told = Snapshot.of(model, now).progress
    advances = (Advance(one.index, one.attempt, one.percent, one.message, now) for one in told)
    return Update(model.summary, tuple(moves), tuple(advances))


def update_since(before: Summary, stores: Stores) -> Update | None:
    """Return what came after *before*; None if nothing did."""
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
        tuple(move for item in feed for move in item.transitions),
        tuple(advance for item in feed for advance in item.advances),
    )
