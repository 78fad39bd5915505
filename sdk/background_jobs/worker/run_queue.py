"""What to run next: new instances in their order, and between them those whose retry is due."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field

from background_jobs.worker.share import InstanceParams


@dataclass(frozen=True, slots=True, order=True)
class QueuedInstance:
    """An instance that is to run, at *due* or later."""

    due: float
    """Seconds on the monotonic clock; 0 for at once."""
    index: int
    params: InstanceParams = field(compare=False)


class RunQueue:
    """Never lets an instance that waits for its retry hold up another."""

    def __init__(self, new: Iterator[QueuedInstance]) -> None:
        self._new = new
        self._deferred: list[QueuedInstance] = []

    def defer(self, instance: QueuedInstance) -> None:
        """Put *instance* into the queue, to run when it is due."""
        heapq.heappush(self._deferred, instance)

    def next(self, now: float) -> QueuedInstance | None:
        """Return what to run at *now*, or else what is due first; None when nothing is left."""
        if self._deferred and self._deferred[0].due <= now:
            return heapq.heappop(self._deferred)
        for instance in self._new:
            if instance.due <= now:
                return instance
            self.defer(instance)
        return heapq.heappop(self._deferred) if self._deferred else None

    def drain(self) -> Iterator[QueuedInstance]:
        """Yield and drop everything that is left."""
        while self._deferred:
            yield heapq.heappop(self._deferred)
        yield from self._new
