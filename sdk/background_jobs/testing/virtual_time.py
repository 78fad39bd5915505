"""Virtual time: what is to happen, in the order in which it is due, and a clock that never waits for it."""

import heapq
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

LOOK_SECONDS: Final = 0.05
"""How much time passes whenever a caller reads how an orchestration stands, so that who polls gets on."""
_PATIENCE_SECONDS = 60.0
"""How long, in real time, a thread waits for another that lets time pass."""


@dataclass(slots=True, eq=False)
class Planned:
    """Something that is to happen."""

    action: Callable[[], None]
    is_work: bool
    """Whether `run_until_idle` waits for it."""
    is_dropped: bool = False


class VirtualTime:
    """The time since a twin was opened, and what is planned.

    What is due happens in the thread that lets time pass, one after the other; what is due at the same moment
    happens in the order in which it was planned.
    """

    def __init__(self, start: datetime) -> None:
        # In UTC a day has 24 hours, whatever the zone of *start* does with its clocks.
        self._start = start.astimezone(UTC)
        self._seconds = 0.0
        self._planned: list[tuple[float, int, Planned]] = []
        self._numbers = count()
        self._passing = threading.RLock()
        """Held by the thread in which things happen."""
        self._thread: int | None = None
        self._work = 0

    @property
    def seconds(self) -> float:
        """Return how much time has passed."""
        return self._seconds

    def now(self) -> datetime:
        """Return the time of day, in UTC."""
        return self._start + timedelta(seconds=self._seconds)

    def plan(self, seconds: float, action: Callable[[], None], *, is_work: bool = True) -> Planned:
        """Have *action* happen in so many seconds."""
        planned = Planned(action, is_work)
        self._work += is_work
        heapq.heappush(self._planned, (self._seconds + max(0.0, seconds), next(self._numbers), planned))
        return planned

    def drop(self, planned: Planned) -> None:
        """Let it not happen."""
        if not planned.is_dropped:
            planned.is_dropped = True
            self._work -= planned.is_work

    def is_passing_here(self) -> bool:
        """Tell whether this is called by what happens at this moment, in the thread that lets time pass."""
        return self._thread == threading.get_ident()

    def skip(self, seconds: float) -> None:
        """Let time pass in which nothing happens; what is due meanwhile happens afterwards."""
        self._seconds += seconds

    def pass_by(self, seconds: float) -> None:
        """Let time pass, and what is due meanwhile happen.

        Asked for by what happens at this moment, the time passes alone.
        """
        if self.is_passing_here():
            self.skip(seconds)
            return
        with self._alone():
            end = self._seconds + seconds
            self._thread = threading.get_ident()
            try:
                while self._planned and self._planned[0][0] <= end:
                    self._happen()
                self._seconds = max(self._seconds, end)
            finally:
                self._thread = None

    def run_until_idle(self) -> None:
        """Let time pass until no work is planned, but for what comes by itself, as schedules do."""
        with self._alone():
            self._thread = threading.get_ident()
            try:
                while self._work:
                    self._happen()
            finally:
                self._thread = None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait while another thread lets time pass."""
        if not self._passing.acquire(timeout=_PATIENCE_SECONDS):
            raise RuntimeError(
                "A thread that a job has started waits for the service, and its container waits for the "
                "thread: on a twin, call the service in the job's own thread."
            )
        try:
            yield
        finally:
            self._passing.release()

    def _happen(self) -> None:
        due, _, planned = heapq.heappop(self._planned)
        if planned.is_dropped:
            return
        # It may be dropped no more.
        planned.is_dropped = True
        self._work -= planned.is_work
        self._seconds = max(self._seconds, due)
        planned.action()
