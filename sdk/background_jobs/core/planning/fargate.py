"""Fargate: the sizes of tasks that it offers, how fast it launches them, and what it bills."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, model_validator

from background_jobs.core.containers.relaunch import THROTTLE_RETRY
from background_jobs.core.errors import InvalidTaskSize

VCPU: Final = 1_024
"""CPU units in one vCPU."""
_GIB: Final = 1_024
MEMORY_MIB: Final[dict[int, Sequence[int]]] = {
    256: (512, 1 * _GIB, 2 * _GIB),
    512: range(1 * _GIB, 4 * _GIB + 1, _GIB),
    1024: range(2 * _GIB, 8 * _GIB + 1, _GIB),
    2048: range(4 * _GIB, 16 * _GIB + 1, _GIB),
    4096: range(8 * _GIB, 30 * _GIB + 1, _GIB),
    8192: range(16 * _GIB, 60 * _GIB + 1, 4 * _GIB),
    16384: range(32 * _GIB, 120 * _GIB + 1, 8 * _GIB),
}
"""The memory in MiB that is offered with each CPU size."""

START_SECONDS: Final = (30.0, 60.0)
"""From the call of RunTask to the first line of a job, most often: a network interface, the image, Python."""
BILLED_START_SECONDS: Final = 20.0
"""The part of it that is billed: from the beginning of the image's download on."""
LEAST_BILLED_SECONDS: Final = 60.0


class TaskSize(BaseModel):
    """What one container runs on. Raises InvalidTaskSize for a size that Fargate does not offer."""

    model_config = ConfigDict(frozen=True)

    cpu: int = 512
    """In units of 1/1,024 vCPU."""
    memory_mib: int = 1024
    arm64: bool = True
    spot: bool = False

    @property
    def vcpus(self) -> float:
        """Return the CPU in vCPUs."""
        return self.cpu / VCPU

    @property
    def gigabytes(self) -> float:
        """Return the memory in GB, as AWS counts them."""
        return self.memory_mib / _GIB

    @model_validator(mode="after")
    def _is_offered(self) -> Self:
        if self.cpu not in MEMORY_MIB:
            raise InvalidTaskSize(f"Fargate has no cpu={self.cpu}; use one of {list(MEMORY_MIB)}.")
        if self.memory_mib not in (offered := MEMORY_MIB[self.cpu]):
            raise InvalidTaskSize(
                f"With cpu={self.cpu} Fargate has no memory of {self.memory_mib} MiB; "
                f"use one of {list(offered)}."
            )
        return self


@dataclass(frozen=True, slots=True)
class RateQuota:
    """So many at once, then so many a second: a token bucket."""

    burst: int
    per_second: float

    def seconds(self, count: int) -> float:
        """Return after how many seconds the last of *count* gets through.

        >>> RateQuota(burst=100, per_second=20).seconds(300)
        10.0
        """
        return max(0.0, (count - self.burst) / self.per_second)


TASK_LAUNCHES: Final = RateQuota(burst=100, per_second=20)
RUN_TASK_CALLS: Final = RateQuota(burst=20, per_second=20)
"""The tighter one here, for each call of the state machine launches one task."""

_TAKEN_IN_SECOND_ROUND: Final = 160
"""So many containers are launched once each was tried twice, of the 220 that an even rate would allow."""
_UNEVEN: Final = 1.4
"""How much longer many launches take than at an even rate."""


def launch_seconds(containers: int) -> float:
    """Return the least time in seconds from the first launch to the last, by the quotas of an account.

    >>> launch_seconds(20), launch_seconds(100), launch_seconds(1_000)
    (0.0, 4.0, 49.0)
    """
    return max(TASK_LAUNCHES.seconds(containers), RUN_TASK_CALLS.seconds(containers))


def expected_launch_seconds(containers: int) -> float:
    """Return the time in seconds from the first launch to the last that is to be expected.

    A Map starts all its children at once, so most of the first calls are refused. They wait for a random part
    of ten seconds, those refused again for one of a minute, and so on: they come unevenly, and some late.
    Within 20 % of what the simulation says of 60 to 5,000 containers (docs/simulation.md).

    >>> [expected_launch_seconds(count) for count in (20, 100, 300, 3_000)]
    [0.0, 10.0, 70.0, 208.6]
    """
    if containers <= RUN_TASK_CALLS.burst:
        return 0.0
    if containers <= _TAKEN_IN_SECOND_ROUND:
        return THROTTLE_RETRY.base_seconds
    two_rounds = THROTTLE_RETRY.base_seconds * (1 + THROTTLE_RETRY.factor)
    return max(two_rounds, _UNEVEN * launch_seconds(containers))


def at_once(containers: int, seconds: float) -> int:
    """Return how many of *containers* are at work together, if each takes *seconds* and none starts sooner.

    >>> at_once(1_000, 2), at_once(1_000, 500)
    (60, 1000)
    """
    return min(containers, RUN_TASK_CALLS.burst + math.ceil(seconds * RUN_TASK_CALLS.per_second))


def billed_seconds(share_seconds: float) -> float:
    """Return what is billed of a container that works for *share_seconds*.

    >>> billed_seconds(5), billed_seconds(500)
    (60.0, 520.0)
    """
    return max(LEAST_BILLED_SECONDS, BILLED_START_SECONDS + share_seconds)
