"""Whether all that waits for containers starts: simulated by AWS's limits and the landed rules of launches.

A new account has 6 vCPUs, which are 12 containers of the default size.
"""

from collections.abc import Sequence
from functools import cache
from typing import Final

import pytest

from background_jobs.core.containers.delays import DelayReason
from background_jobs.core.planning.fargate import RUN_TASK_CALLS
from background_jobs.core.retry import Retry, retry_delay
from benchmarks.simulate.fan_out import FanOut, Orchestration, Rule, World, simulate
from benchmarks.simulate.launches import Refusals, wait_as_landed
from benchmarks.simulate.workloads import constant

NEW_ACCOUNT: Final = 12
PLENTY: Final = 100_000
START_SECONDS: Final = 45.0
HOUR: Final = 3_600.0


def one_each(shares: int, seconds: float, at: float = 0.0) -> Orchestration:
    """Kick off so many shares of one instance each."""
    return Orchestration(seconds=constant(shares, seconds), parallelism=shares, at=at)


def giving_up(refusals: Refusals, reason: DelayReason, draw: float) -> float | None:
    """Wait as often and as long as a usual budget of retries: for an hour and a quarter, on average."""
    del reason
    tries = refusals.tries = refusals.tries.model_copy(update={"waits": refusals.tries.waits + 1})
    if tries.waits % 4:
        return retry_delay(tries.waits % 4, Retry(base_seconds=2, max_seconds=20), draw=draw)
    if tries.waits > 160:
        return None
    return 1 + retry_delay(tries.waits // 4, Retry(base_seconds=10, factor=1.5, max_seconds=240), draw=draw)


def run(
    orchestrations: Sequence[Orchestration], containers: int, rule: Rule = wait_as_landed
) -> list[FanOut]:
    """Run *orchestrations* in an account that may run so many *containers* at once."""
    return simulate(orchestrations, World(containers=containers, rule=rule))


@cache
def run_in_new_account(work: str) -> list[FanOut]:
    """Run what several tests look at."""
    return run(WORK[work], NEW_ACCOUNT)


def launches(fan_outs: Sequence[FanOut]) -> list[float]:
    return sorted(at for fan_out in fan_outs for at in fan_out.figures.launched_at)


def given_up(fan_outs: Sequence[FanOut]) -> int:
    return sum(fan_out.figures.given_up for fan_out in fan_outs)


WORK: Final = {
    "a hundred of two hours": [one_each(100, 2 * HOUR)],
    "fifty at once": [one_each(20, 600)] * 50,
}


@pytest.mark.parametrize("name", WORK)
def test_everything_starts_in_a_new_account_and_the_quota_is_used_to_the_end(name: str) -> None:
    fan_outs, work = run_in_new_account(name), WORK[name]
    assert given_up(fan_outs) == 0
    # nothing could start sooner than in full rounds of twelve, one after the other
    started = launches(fan_outs)
    rounds = -(-len(started) // NEW_ACCOUNT) - 1
    assert started[-1] < 1.15 * rounds * (START_SECONDS + work[0].seconds[0])


@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
def test_launches_that_are_given_up_after_an_hour_would_lose_most_of_it(
    work: Sequence[Orchestration],
) -> None:
    fan_outs = run(work, NEW_ACCOUNT, giving_up)
    assert given_up(fan_outs) > 0.8 * sum(one.containers for one in work)


def test_none_of_fifty_orchestrations_starves() -> None:
    fan_outs = run_in_new_account("fifty at once")
    half = launches(fan_outs)[-1] / 2
    begun = [sum(at < half for at in fan_out.figures.launched_at) for fan_out in fan_outs]
    # each would have ten of its twenty begun if they took turns; by chance some have far fewer
    assert min(begun) >= 2


def test_who_waits_for_long_is_not_overtaken_for_ever_by_those_who_come() -> None:
    # given an account that others fill as fast as it empties, with an orchestration every half hour
    patient = one_each(12, 600)
    others = [one_each(33, 600, at=number * HOUR / 2) for number in range(2 * 24 * 2)]
    fan_outs = run([patient, *others], NEW_ACCOUNT)
    # then it has its turn with them
    assert launches(fan_outs[:1])[-1] < 3 * HOUR
    assert given_up(fan_outs) == 0


@pytest.mark.parametrize("count", [1, 50])
def test_the_rate_of_launches_is_used_and_not_fought_over(count: int) -> None:
    # given an account with room for everything
    starts = launches(run([one_each(5_000 // count, HOUR)] * count, PLENTY))
    # then the last is launched little later than the rate allows
    assert starts[-1] < 2.5 * RUN_TASK_CALLS.seconds(5_000)
    # and most are launched at the full rate
    assert starts[len(starts) * 8 // 10] < 1.2 * RUN_TASK_CALLS.seconds(4_000)
