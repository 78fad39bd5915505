"""What every peer is measured at."""

import random
from dataclasses import dataclass
from typing import Any, Final

LIMIT_SECONDS: Final = 120
"""A peer that would take longer, by what it took for a tenth of it, is left out."""


@dataclass(frozen=True)
class Workload:
    """Tasks that are kicked off together, on warm workers."""

    title: str
    job: str
    arguments: int | list[Any]
    """What each task gets; a number stands for those from 0 on."""
    workers: int = 2
    rate: bool = True
    """Whether it is shown in tasks a second, or else in seconds."""

    @property
    def tasks(self) -> int:
        """Return how many tasks there are."""
        return self.arguments if isinstance(self.arguments, int) else len(self.arguments)


def _skewed(count: int, total_seconds: float) -> list[float]:
    draw = random.Random(7)
    seconds = [draw.lognormvariate(0, 1) for _ in range(count)]
    return [round(one * total_seconds / sum(seconds), 4) for one in seconds]


SKEWED: Final = _skewed(64, 19.2)
NO_OPS: Final = (1_000, 10_000, 100_000)
WORKLOADS: Final = {
    "one": Workload("N = 1, kick-off to result, workers warm", "no_op", 1, rate=False),
    **{f"no_ops_{total}": Workload(f"{total:,} no-ops", "no_op", total) for total in NO_OPS},
    "cpu": Workload("200 tasks of 20 ms of CPU", "burn", [0.02] * 200),
    "skew": Workload("64 skewed sleeps, 8 workers", "nap", list(SKEWED), workers=8, rate=False),
}
COLD: Final = "cold"
COLD_TITLE: Final = "N = 1, everything down"
QUICK: Final = ("one", "no_ops_1000", "no_ops_10000", "cpu", "skew")
