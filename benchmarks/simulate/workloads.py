"""How long the instances of an orchestration take: even, uneven, or with one that takes far longer."""

import math
import random
from collections.abc import Sequence
from typing import Final

Seconds = Sequence[float]
"""The time of each instance, in the order of its index."""

_STRAGGLER: Final = 0.2
"""The longest instance of a workload with a straggler, as a part of what a container works in the mean."""


def constant(total: int, seconds: float) -> Seconds:
    """Return *total* instances of *seconds* each."""
    return [seconds] * total


def lognormal(total: int, seconds: float, *, sigma: float = 1.0, seed: int = 13) -> Seconds:
    """Return *total* instances of *seconds* in the mean, most of them shorter and some far longer.

    With *sigma* 1, half of them take 0.6 of the mean, and one in a hundred 6 times the mean. They are scaled
    to the mean, so that workloads of one size can be compared.
    """
    draw = random.Random(seed)
    times = [math.exp(draw.gauss(0, sigma)) for _ in range(total)]
    scale = seconds * total / math.fsum(times)
    return [scale * time for time in times]


def straggler(total: int, seconds: float, *, containers: int) -> Seconds:
    """Return even instances, of which the last takes a fifth of a container's whole work, and comes last."""
    longest = max(seconds, _STRAGGLER * total * seconds / containers)
    return [*constant(total - 1, seconds), longest]
