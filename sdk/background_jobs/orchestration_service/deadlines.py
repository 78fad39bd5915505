"""How long somebody waits for an orchestration, and how long between two looks at it."""

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

from background_jobs.core.read_model import Summary

_SHORTEST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 2.0
_PAUSE_SHARE: Final = 0.05
"""The next pause takes this share of the time already waited, between the two bounds."""
_LAST_PAUSE_SHARE: Final = 0.01
"""And no less than this share of it, however near the end seems to be: the last instances may take long."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """The time until which somebody waits for an orchestration."""

    orchestration_id: str
    limit: float | None
    """Seconds; None for ever."""
    started: float
    """On the monotonic clock, in seconds."""

    @classmethod
    def after(cls, timeout: float | timedelta | None, orchestration_id: str) -> Self:
        """Return the deadline *timeout* (seconds, or a timedelta) from now. Raises TypeError for all else."""
        limit = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        if not isinstance(limit, float | int | None):
            raise TypeError(f"timeout={limit!r}: a number of seconds or a timedelta is needed.")
        return cls(orchestration_id, limit, time.monotonic())

    @property
    def left(self) -> float | None:
        """Return how many seconds are left; None for ever."""
        return None if self.limit is None else self.limit - (time.monotonic() - self.started)

    def check(self, summary: Summary) -> None:
        """Raise TimeoutError if the deadline has passed; its message has the counts of *summary*."""
        if self.left is not None and self.left <= 0:
            counts = (
                f"{summary.completed + summary.errored} of {summary.total} instances have an outcome"
                if summary.total is not None
                else "its state was not known by then"
            )
            raise TimeoutError(
                f"Orchestration {self.orchestration_id} was not done after {self.limit:g} s: {counts}. "
                "It goes on; wait again, or re-attach by its id."
            )

    def choose_pause(self, summary: Summary | None = None) -> float:
        """Return how many seconds to wait before the next look: more, the longer it has taken so far.

        By *summary* it is less towards the end: half of what the rest takes at the rate so far.
        """
        waited = time.monotonic() - self.started
        pause = waited * _PAUSE_SHARE
        if summary is not None and (final := summary.completed + summary.errored):
            rest = waited * (summary.waiting + summary.running) / final
            pause = max(waited * _LAST_PAUSE_SHARE, min(pause, rest / 2))
        return self.cap(min(_LONGEST_PAUSE, max(_SHORTEST_PAUSE, pause)))

    def cap(self, seconds: float) -> float:
        """Return *seconds*, or what is left if that is less."""
        return seconds if self.left is None else max(0.0, min(seconds, self.left))
