"""The faults that a test injects: what is lost, throttled, delivered twice or refused next."""

from collections import Counter, deque
from typing import Final

from background_jobs.testing.refusals import SERVICES

ANY_INSTANCE: Final = None


class Faults:
    """The faults that are still to come."""

    def __init__(self) -> None:
        self.delivers_twice = False
        """Whether stream records and events of the bus arrive twice."""
        self._losses: Counter[int | None] = Counter()
        self._throttled: Counter[str] = Counter()
        self._refusals: deque[str] = deque()

    def lose_container(self, index: int | None, times: int) -> None:
        """Have the container die, *times* times, that runs the instance at *index*; None for any instance."""
        if index is not None and index < 0:
            raise ValueError(f"No instance has the index {index}: indices begin at 0.")
        self._losses[index] += _checked(times)

    def takes_container(self, index: int) -> bool:
        """Tell whether a container dies now, which runs the instance at *index*."""
        for place in (index, ANY_INSTANCE):
            if self._losses[place] > 0:
                self._losses[place] -= 1
                return True
        return False

    def throttle(self, service: str, times: int) -> None:
        """Have the next *times* requests to *service* throttled. Raises ValueError for an unknown service."""
        if service not in SERVICES:
            raise ValueError(f"{service!r} cannot be throttled: write one of {', '.join(SERVICES)}.")
        self._throttled[service] += _checked(times)

    def is_throttled(self, service: str) -> bool:
        """Tell whether a request is throttled that is made now."""
        if not self._throttled[service]:
            return False
        self._throttled[service] -= 1
        return True

    def refuse_launch(self, reason: str, times: int) -> None:
        """Have ECS refuse the next *times* launches for *reason*."""
        self._refusals.extend([reason] * _checked(times))

    def refusal(self) -> str | None:
        """Return why a launch is refused that is tried now; None where it is not."""
        return self._refusals.popleft() if self._refusals else None


def _checked(times: int) -> int:
    if times < 1:
        raise ValueError(f"times={times!r} injects nothing: it is 1 or more.")
    return times
