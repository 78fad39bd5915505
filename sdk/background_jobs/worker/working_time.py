"""How long a container may work, and so how long it goes on trying what AWS throttles."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeVar

from background_jobs.aws.throttling import outlast_throttling
from background_jobs.core.limits import CONTAINER_SECONDS, STOP_SECONDS

_T = TypeVar("_T")
_SIGTERM_SECONDS: Final = STOP_SECONDS - 10.0
"""How long a container goes on trying after SIGTERM; a little later it is killed."""
_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def seconds_since_boot() -> float:
    """Return the time on a clock that goes on while the machine is suspended, where there is one."""
    return time.clock_gettime(_CLOCK)


class WorkingTime:
    """The time that is left to a container."""

    def __init__(self) -> None:
        self._end = time.monotonic() + CONTAINER_SECONDS
        self._deadline = float("inf")

    def is_over(self) -> bool:
        """Tell whether the container is to try nothing once more."""
        return time.monotonic() > self._end

    def note_deadline(self, deadline: datetime | None, now: datetime) -> None:
        """Note when the timeout of the orchestration ends, and what time it is by the same clock.

        From here on the time is measured by a clock that nobody sets.
        """
        if deadline is not None:
            self._deadline = seconds_since_boot() + (deadline - now).total_seconds()

    def seconds_to_deadline(self) -> float:
        """Return how long the orchestration's timeout leaves; infinite where it has none."""
        return self._deadline - seconds_since_boot()

    def shorten(self) -> None:
        """Note that SIGTERM came; a signal handler may call this."""
        self._end = min(self._end, time.monotonic() + _SIGTERM_SECONDS)

    def try_until_over(self, call: Callable[[], _T]) -> _T:
        """Return what *call* returns, which is made again while AWS throttles it."""
        return outlast_throttling(call, self.is_over)
