"""What to run next: new instances in their order, and between them those whose retry is due."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field

from background_jobs.worker.share import Params


@dataclass(frozen=True, slots=True, order=True)
class QueuedInstance:
    """An instance that is to run, at *due* or later."""

    due: float
    """Seconds since the epoch."""
    index: int
    params: Params = field(compare=False)


class RunQueue:
    """Never lets an instance that waits for its retry hold up another."""

    def __init__(self, fresh: Iterator[QueuedInstance]) -> None:
        self._fresh = fresh
        self._later: list[QueuedInstance] = []

    def put_off(self, entry: QueuedInstance) -> None:
        """Have *entry* run when it is due."""
        heapq.heappush(self._later, entry)

    def next(self, now: float) -> QueuedInstance | None:
        """Return what to run at *now*; if that is due later, there is nothing to do until then.

        None means that nothing is left.
        """
        if self._later and self._later[0].due <= now:
            return heapq.heappop(self._later)
        for entry in self._fresh:
            if entry.due <= now:
                return entry
            self.put_off(entry)
        return heapq.heappop(self._later) if self._later else None

    def rest(self) -> Iterator[QueuedInstance]:
        """Yield and drop everything that is left."""
        while self._later:
            yield heapq.heappop(self._later)
        yield from self._fresh
