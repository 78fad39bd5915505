"""What a job is told of the instance that it runs."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event

from background_jobs.core import limits
from background_jobs.core.progress import ProgressThrottle, whole_percent

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JobContext:
    """The instance that a job runs, as the job sees it."""

    job_name: str
    orchestration_id: str
    job_id: str
    index: int
    """The instance's place in the array of params, from 0."""
    attempt: int
    """Which attempt this is, from 1."""
    tags: dict[str, str]
    """The tags that the caller gave to the orchestration, such as customer identifiers."""
    _cancelled: Event = field(default_factory=Event, repr=False, compare=False)
    _record: Callable[[int, str], None] = field(
        default=lambda _percent, _message: None, repr=False, compare=False
    )
    _throttle: ProgressThrottle = field(default_factory=ProgressThrottle, repr=False, compare=False)

    def progress(self, percent: float, message: str = "") -> None:
        """Report how far this instance is, from 0 to 100, and in a few words what it does.

        A job may call this in its tightest loop, and in threads: only a risen percentage is recorded, about
        once a second. It never raises. A percentage that is not a finite number is left out, and a warning in
        the log says so.
        """
        whole = whole_percent(percent)
        if whole is None:
            if self._throttle.is_first_mistake():
                _log.warning("Progress is left out: its percentage must be a number from 0 to 100.")
        elif self._throttle.passes(whole, time.monotonic()):
            self._record(whole, _to_text(message)[: limits.PROGRESS_CHARACTERS])

    def cancelled(self) -> bool:
        """Tell whether the orchestration was cancelled; a long job asks now and then, and returns if so."""
        return self._cancelled.is_set()


def _to_text(message: object) -> str:
    try:
        return "" if message is None else str.__str__(str(message))
    except Exception:  # noqa: BLE001 -- whatever its own `__str__` raises
        return ""
