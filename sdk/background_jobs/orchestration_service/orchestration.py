"""The handle of an orchestration: where it stands, and what came of it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from background_jobs.aws.rooms import Rooms
from background_jobs.core.errors import EventConflict
from background_jobs.core.events import OrchestrationCancelled
from background_jobs.core.fold import Summary, Transition
from background_jobs.core.outcomes import JobResults
from background_jobs.orchestration_service.results import collect

_MAX_REASON: Final = 1_000
_SHORTEST_WAIT: Final = 0.05
_LONGEST_WAIT: Final = 2.0
_PATIENCE: Final = 0.05
"""The share of the time already waited that the next wait takes, between the two bounds."""


class Cancellation(StrEnum):
    """What a call of cancel found."""

    REQUESTED = "requested"
    ALREADY_CANCELLED = "already cancelled"
    ALREADY_DONE = "already done"


@dataclass(frozen=True, slots=True)
class Update:
    """What changed since the update before."""

    summary: Summary
    transitions: list[Transition]
    """The instances that moved, oldest first; the first update brings all so far."""


class Orchestration:
    """One kick-off of a job; any process can re-attach to it by its id."""

    def __init__(self, orchestration_id: str, job_name: str, rooms: Rooms) -> None:
        self.id = orchestration_id
        self.job_name = job_name
        self._rooms = rooms

    def __repr__(self) -> str:
        return f"Orchestration(id={self.id!r}, job_name={self.job_name!r})"

    def summary(self) -> Summary:
        """Return where the orchestration stands, in one small read."""
        return self._rooms.read_model.summary(self.id)

    def done(self) -> bool:
        """Tell whether every instance has its outcome."""
        return self.summary().all_final

    def wait(self, timeout: float | timedelta | None = None) -> Summary:
        """Wait until every instance has its outcome. Raises TimeoutError after *timeout* (seconds)."""
        *_, last = self._summaries(timeout)
        return last

    def results(self, timeout: float | timedelta | None = None) -> JobResults:
        """Wait, then return ``(successes, failures)``; *failures* is None when there are none.

        Raises TimeoutError after *timeout* (seconds, or a timedelta).
        """
        self.wait(timeout)
        return collect(self.id, self._rooms)

    def cancel(self, reason: str = "") -> Cancellation:
        """Ask for the end: what has no outcome yet is Errored as Cancelled, and its containers are stopped.

        Jobs that look at `JobContext.cancelled` may end well first. Cancelling twice, or after the end, is
        harmless; the answer says what was found.
        """
        if self.done():
            return Cancellation.ALREADY_DONE
        event = OrchestrationCancelled(
            orchestration_id=self.id, at=datetime.now(UTC), reason=reason[:_MAX_REASON]
        )
        try:
            self._rooms.event_log.append(event)
        except EventConflict:
            return Cancellation.ALREADY_CANCELLED
        return Cancellation.REQUESTED

    def watch(self, timeout: float | timedelta | None = None) -> Iterator[Update]:
        """Yield an update now and whenever something changed, and end by itself.

        Raises TimeoutError after *timeout* (seconds, or a timedelta).
        """
        seen = -1
        for summary in self._summaries(timeout):
            if summary.version != seen:
                feed = self._rooms.read_model.feed(self.id, after=max(seen, 0))
                yield Update(
                    summary, [move for version, moves in feed if version <= summary.version for move in moves]
                )
                seen = summary.version

    def _summaries(self, timeout: float | timedelta | None) -> Iterator[Summary]:
        limit = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        started = time.monotonic()
        while True:
            summary = self.summary()
            yield summary
            if summary.all_final:
                return
            waited = time.monotonic() - started
            if limit is not None and waited >= limit:
                final = summary.completed + summary.errored
                raise TimeoutError(
                    f"Orchestration {self.id} was not done after {limit:g} s: {final} of {summary.total} "
                    "instances have an outcome. It goes on; wait again, or re-attach by its id."
                )
            pause = min(_LONGEST_WAIT, max(_SHORTEST_WAIT, waited * _PATIENCE))
            time.sleep(pause if limit is None else min(pause, max(0.0, limit - waited)))
