"""What an account answers to RunTask, and how long until what was refused is tried again.

An account has two token buckets: 20 calls of RunTask at once and 20 a second, 100 launches of Fargate at once
and 20 a second ("AWS Fargate throttling quotas", Amazon ECS developer guide). A call that is throttled takes
no token.
"""

import math
import random
from dataclasses import dataclass, field
from typing import Final

from background_jobs.core.containers.delays import DelayReason
from background_jobs.core.containers.relaunch import THROTTLE_RETRY, Tries, decide_relaunch
from background_jobs.core.planning.fargate import RUN_TASK_CALLS, START_SECONDS, TASK_LAUNCHES, RateQuota
from background_jobs.core.retry import retry_delay

_NINE_TENTHS: Final = 1.645
"""Nine tenths of a normal distribution lie within so many standard deviations of its mean."""


class TokenBucket:
    """A token bucket, which is full at first."""

    def __init__(self, quota: RateQuota) -> None:
        self._quota, self._tokens, self._at = quota, float(quota.burst), 0.0

    def has(self, now: float) -> bool:
        """Tell whether there is a token at *now*."""
        refilled = self._tokens + (now - self._at) * self._quota.per_second
        self._tokens, self._at = min(self._quota.burst, refilled), now
        return self._tokens >= 1

    def take(self, tokens: float = 1) -> None:
        """Take so many tokens, which may leave fewer than none: who comes next waits for them."""
        self._tokens -= tokens

    def reserve(self, now: float, tokens: float = 1) -> float:
        """Take so many tokens, and return in how many seconds there are as many."""
        self.has(now)
        self.take(tokens)
        return max(0.0, -self._tokens / self._quota.per_second)


class Account:
    """What AWS answers to RunTask in one account and region, which may run so many *containers* at once."""

    def __init__(self, containers: int) -> None:
        self._calls, self._launches = TokenBucket(RUN_TASK_CALLS), TokenBucket(TASK_LAUNCHES)
        self._containers = containers
        self.running = 0

    def run_task(self, now: float) -> DelayReason | None:
        """Launch a container, or return why not."""
        if not self._calls.has(now):
            return DelayReason.THROTTLED
        self._calls.take()
        if self.running >= self._containers:
            return DelayReason.QUOTA
        if not self._launches.has(now):
            return DelayReason.THROTTLED
        self._launches.take()
        self.running += 1
        return None

    def end_task(self) -> None:
        """Take note that a container has ended."""
        self.running -= 1


@dataclass
class Refusals:
    """What was tried to launch one share."""

    tries: Tries = field(default_factory=Tries)
    throttled: int = 0
    """In a row, before the function was asked."""


def wait_as_landed(refusals: Refusals, reason: DelayReason, draw: float) -> float | None:
    """Return after how many seconds the state machine and its function launch again, or None to give up."""
    if reason is DelayReason.THROTTLED and refusals.throttled < THROTTLE_RETRY.max_attempts - 1:
        refusals.throttled += 1
        return retry_delay(refusals.throttled, THROTTLE_RETRY, draw=draw)
    refusals.throttled = 0
    seconds, refusals.tries, _ = decide_relaunch(reason, refusals.tries, spot=False, draw=draw)
    return seconds


def draw_starts(count: int, *, seed: int) -> list[float]:
    """Return how many seconds each of *count* containers takes to start.

    Nine tenths take what the plan says (START_SECONDS); of the others, some take far longer.
    """
    least, most = START_SECONDS
    sigma = math.log(most / least) / 2 / _NINE_TENTHS
    draw = random.Random(seed)
    return [math.sqrt(least * most) * math.exp(draw.gauss(0, sigma)) for _ in range(count)]
