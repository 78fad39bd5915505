"""How long the instances of an orchestration take: even, uneven, or with one that takes far longer."""

import math
import random
from collections.abc import Sequence

Seconds = Sequence[float]
"""The time of each instance, in the order of its index."""


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


def straggler(total: int, seconds: float, *, longest: float, index: int) -> Seconds:
    """Return even instances, of which the one at *index* takes *longest* seconds."""
    times = [seconds] * total
    times[index] = longest
    return times
