"""Whether all that waits for containers starts: a simulation by AWS's limits and the landed rules of launches.

An account has two token buckets: 20 calls of RunTask at once and 20 a second, 100 launches of Fargate at once
and 20 a second ("AWS Fargate throttling quotas", Amazon ECS developer guide); a new account has 6 vCPUs, which
are 12 containers of the default size. A call that is throttled takes no token.
"""

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import pytest

from background_jobs.core.containers.delays import DelayReason
from background_jobs.core.containers.relaunch import THROTTLE_RETRY, Tries, decide_relaunch
from background_jobs.core.planning.fargate import RUN_TASK_CALLS, TASK_LAUNCHES, RateQuota
from background_jobs.core.retry import Retry, retry_delay

NEW_ACCOUNT: Final = 12
PLENTY: Final = 100_000
START_SECONDS: Final = 45.0
HOUR: Final = 3_600.0
DAY: Final = 24 * HOUR


class Orchestration(NamedTuple):
    """So many shares that are kicked off together, and work for so long."""

    at: float
    shares: int
    seconds: float


@dataclass
class Share:
    """One share: what was tried, and when it began to run."""

    orchestration: int
    seconds: float
    tries: Tries = field(default_factory=Tries)
    throttled: int = 0
    """In a row, before the function was asked."""
    started_at: float | None = None
    is_lost: bool = False


Rule = Callable[[Share, DelayReason, float], float | None]
"""Takes a random draw as well, and returns the seconds before the next try, or None to give up."""


class Bucket:
    """A token bucket, which is full at first."""

    def __init__(self, quota: RateQuota) -> None:
        self._quota, self._tokens, self._at = quota, float(quota.burst), 0.0

    def has(self, now: float) -> bool:
        """Tell whether there is a token at *now*."""
        refilled = self._tokens + (now - self._at) * self._quota.per_second
        self._tokens, self._at = min(self._quota.burst, refilled), now
        return self._tokens >= 1

    def take(self) -> None:
        """Take a token, which there is."""
        self._tokens -= 1


class Account:
    """What AWS answers to RunTask in one account and region."""

    def __init__(self, containers: int) -> None:
        self._calls, self._launches = Bucket(RUN_TASK_CALLS), Bucket(TASK_LAUNCHES)
        self._containers = containers
        self._ends: list[float] = []

    def run_task(self, now: float, seconds: float) -> DelayReason | None:
        """Launch a container for *seconds*, or return why not."""
        if not self._calls.has(now):
            return DelayReason.THROTTLED
        self._calls.take()
        while self._ends and self._ends[0] <= now:
            heapq.heappop(self._ends)
        if len(self._ends) >= self._containers:
            return DelayReason.QUOTA
        if not self._launches.has(now):
            return DelayReason.THROTTLED
        self._launches.take()
        heapq.heappush(self._ends, now + START_SECONDS + seconds)
        return None


def landed(share: Share, reason: DelayReason, draw: float) -> float | None:
    """Wait as the state machine and the function do."""
    if reason is DelayReason.THROTTLED and share.throttled < THROTTLE_RETRY.max_attempts - 1:
        share.throttled += 1
        return retry_delay(share.throttled, THROTTLE_RETRY, draw=draw)
    share.throttled = 0
    seconds, share.tries, _ = decide_relaunch(reason, share.tries, spot=False, draw=draw)
    return seconds


def giving_up(share: Share, reason: DelayReason, draw: float) -> float | None:
    """Wait as often and as long as a usual budget of retries: for an hour and a quarter, on average."""
    del reason
    tries = share.tries = share.tries.model_copy(update={"waits": share.tries.waits + 1})
    if tries.waits % 4:
        return retry_delay(tries.waits % 4, Retry(base_seconds=2, max_seconds=20), draw=draw)
    if tries.waits > 160:
        return None
    return 1 + retry_delay(tries.waits // 4, Retry(base_seconds=10, factor=1.5, max_seconds=240), draw=draw)


def simulate(orchestrations: Sequence[Orchestration], containers: int, rule: Rule) -> list[Share]:
    """Return what became of each share in an account that may run so many *containers* at once."""
    account, draw = Account(containers), random.Random(7)
    shares = [Share(n, o.seconds) for n, o in enumerate(orchestrations) for _ in range(o.shares)]
    due = [(orchestrations[share.orchestration].at, number) for number, share in enumerate(shares)]
    heapq.heapify(due)
    while due:
        now, number = heapq.heappop(due)
        share = shares[number]
        reason = account.run_task(now, share.seconds)
        if reason is None:
            share.started_at = now
        elif (seconds := rule(share, reason, draw.random())) is None:
            share.is_lost = True
        else:
            heapq.heappush(due, (now + seconds, number))
    return shares


def last_start(shares: Sequence[Share]) -> float:
    return max(share.started_at for share in shares if share.started_at is not None)


TWO_HOURS: Final = [Orchestration(0, 100, 2 * HOUR)]
FIFTY: Final = [Orchestration(0, 20, 600)] * 50


@pytest.mark.parametrize("work", [TWO_HOURS, FIFTY], ids=["a hundred of two hours", "fifty at once"])
def test_everything_starts_in_a_new_account_and_the_quota_is_used_to_the_end(
    work: Sequence[Orchestration],
) -> None:
    shares = simulate(work, NEW_ACCOUNT, landed)
    assert not any(share.is_lost for share in shares)
    # nothing could start sooner than in full rounds of twelve, one after the other
    rounds = -(-len(shares) // NEW_ACCOUNT) - 1
    assert last_start(shares) < 1.15 * rounds * (START_SECONDS + work[0].seconds)


@pytest.mark.parametrize("work", [TWO_HOURS, FIFTY], ids=["a hundred of two hours", "fifty at once"])
def test_launches_that_are_given_up_after_an_hour_would_lose_most_of_it(
    work: Sequence[Orchestration],
) -> None:
    shares = simulate(work, NEW_ACCOUNT, giving_up)
    assert sum(share.is_lost for share in shares) > 0.8 * len(shares)


def test_none_of_fifty_orchestrations_starves() -> None:
    shares = simulate(FIFTY, NEW_ACCOUNT, landed)
    half = last_start(shares) / 2
    begun = [0] * len(FIFTY)
    for share in shares:
        assert share.started_at is not None
        begun[share.orchestration] += share.started_at < half
    # each would have ten of its twenty begun if they took turns
    assert min(begun) >= 3


def test_who_waits_for_long_is_not_overtaken_for_ever_by_those_who_come() -> None:
    # given an account that others fill as fast as it empties, with an orchestration every half hour
    patient = Orchestration(0, 12, 600)
    others = [Orchestration(hour * HOUR / 2, 33, 600) for hour in range(2 * 24 * 2)]
    shares = simulate([patient, *others], NEW_ACCOUNT, landed)
    # then it has its turn with them
    assert last_start([share for share in shares if share.orchestration == 0]) < 3 * HOUR
    assert not any(share.is_lost for share in shares)


@pytest.mark.parametrize("count", [1, 50])
def test_the_rate_of_launches_is_used_and_not_fought_over(count: int) -> None:
    # given an account with room for everything
    shares = simulate([Orchestration(0, 5_000 // count, HOUR)] * count, PLENTY, landed)
    # then the last is launched little later than the rate allows
    assert last_start(shares) < 2.5 * RUN_TASK_CALLS.seconds(5_000)
    # and most are launched at the full rate
    starts = sorted(share.started_at for share in shares if share.started_at is not None)
    assert starts[len(starts) * 8 // 10] < 1.2 * RUN_TASK_CALLS.seconds(4_000)
