"""The least time in which work can be done, whoever does it."""

import heapq
import math
from collections.abc import Sequence


def lower_bound(seconds: Sequence[float], ready: Sequence[float]) -> float:
    """Return the least time in which containers that are *ready* then can do instances of these *seconds*.

    It is the work divided by the containers, after their mean start; and the longest instance takes its time.
    Nobody knows the times beforehand, and one instance is not divided, so that no plan can do better.

    >>> lower_bound([5.0] * 10, [40.0, 40.0]), lower_bound([100.0, 1.0], [40.0, 60.0])
    (65.0, 140.0)
    """
    starts = sorted(ready)
    longest = starts[0] + max(seconds, default=0.0)
    work = math.fsum(seconds)
    for count in range(1, len(starts)):
        level = (work + math.fsum(starts[:count])) / count
        if level <= starts[count]:  # the others come too late to help
            return max(level, longest)
    return max((work + math.fsum(starts)) / len(starts), longest)


def run_queue(seconds: Sequence[float], ready: Sequence[float]) -> float:
    """Return when all is done if each container that is *ready* takes the next instance whenever it is idle.

    >>> run_queue([5.0, 5.0, 100.0], [40.0, 42.0])
    145.0
    """
    idle = sorted(ready)
    end = 0.0
    for instance in seconds:
        begun = heapq.heappop(idle)
        heapq.heappush(idle, begun + instance)
        end = max(end, begun + instance)
    return end


def run_in_order(ready: Sequence[float], works: Sequence[float], at_once: int) -> list[float]:
    """Return when each of *works* begins, if none may begin before it is *ready*, nor more run *at_once*."""
    ends: list[float] = []
    begins = []
    for earliest, work in zip(ready, works, strict=True):
        begin = earliest if len(ends) < at_once else max(earliest, heapq.heappop(ends))
        heapq.heappush(ends, begin + work)
        begins.append(begin)
    return begins
