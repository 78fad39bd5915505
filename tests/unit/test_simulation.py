"""The laws that the simulation of docs/simulation.md keeps, whatever it simulates, and that the page is fresh."""

import doctest
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from types import ModuleType
from typing import Final

import pytest

from background_jobs.core.limits import DEFAULT_PARALLELISM
from background_jobs.core.planning.blocks_written import estimate_blocks
from background_jobs.core.planning.fargate import expected_launch_seconds
from background_jobs.core.planning.footprint import Run, estimate_footprint
from background_jobs.core.planning.plan import CONTROL_SECONDS
from benchmarks.generated_parts import put_part
from benchmarks.simulate import bounds, formatting
from benchmarks.simulate.__main__ import DOCUMENT
from benchmarks.simulate.comparison import (
    CONTAINERS,
    Result,
    run_batch,
    run_lambda,
    run_one_task_each,
    run_ours,
)
from benchmarks.simulate.fan_out import BEFORE_DISPATCH_SECONDS, Orchestration, World, simulate
from benchmarks.simulate.tables import TABLES
from benchmarks.simulate.workloads import constant, lognormal, straggler

CLAIMING: Final = 2.0
"""Seconds that moving work may cost at the end: some calls, and a window of the stream that was just missed."""
WORKLOADS: Final = {
    "one": constant(1, 1),
    "few and short": constant(7, 0.1),
    "one in each container": lognormal(100, 30),
    "many that do nothing": constant(4_000, 0.0004),
    "many and short": lognormal(4_000, 0.1),
    "even": constant(3_000, 5),
    "uneven": lognormal(3_000, 5),
    "very uneven": lognormal(3_000, 5, sigma=2),
    "a straggler in the middle": straggler(3_000, 5, longest=200, index=1_510),
    "a straggler at the end": straggler(3_000, 5, longest=200, index=2_999),
}


of_every_shape = pytest.mark.parametrize("shape", WORKLOADS)


@cache
def run_shape(shape: str, *, moves: bool = False) -> Result:
    """Run a workload with all that is usual, once for all tests."""
    return run_ours(WORKLOADS[shape], moves=moves)


def vary(shape: str, *, moves: bool) -> Iterator[Result]:
    """Run a workload with more and less of everything."""
    for parallelism in (1, 10, 100):
        for warm, quota in ((0, 2_000), (5, 2_000), (0, 12)):
            if (parallelism, warm, quota) == (DEFAULT_PARALLELISM, 0, CONTAINERS):
                yield run_shape(shape, moves=moves)
                continue
            yield run_ours(
                WORKLOADS[shape], parallelism=parallelism, moves=moves, warm=warm, containers=quota
            )


@of_every_shape
def test_nothing_is_done_sooner_than_is_possible(shape: str) -> None:
    work = WORKLOADS[shape]
    for moves in (False, True):
        for result in vary(shape, moves=moves):
            assert result.makespan >= result.bound
    others = (run_batch(work), run_lambda(work), run_one_task_each(work[:500]))
    assert all(other.makespan >= other.bound for other in others if other)


@of_every_shape
def test_work_that_moves_is_not_slower_than_fixed_shares(shape: str) -> None:
    fixed, moving = run_shape(shape), run_shape(shape, moves=True)
    assert moving.makespan <= fixed.makespan + CLAIMING
    assert moving.launches == fixed.launches


def test_uneven_work_that_moves_takes_little_longer_than_is_possible() -> None:
    result = run_ours(lognormal(10_000, 5), moves=True, parallelism=100)
    assert result.ratio <= 1.1
    assert run_ours(lognormal(10_000, 5), parallelism=100).ratio > 1.2


@pytest.mark.parametrize("moves", [False, True])
def test_a_larger_quota_is_not_slower(*, moves: bool) -> None:
    work = lognormal(2_000, 10)
    times = [run_ours(work, moves=moves, containers=quota).makespan for quota in (6, 12, 25, 50, 100)]
    assert all(larger < smaller for smaller, larger in pairwise(times))


def test_a_table_that_takes_more_is_not_slower() -> None:
    # given containers that write more than one partition takes
    work = constant(300_000, 0.1)
    one, four = (run_ours(work, parallelism=300, partitions=count) for count in (1, 4))
    assert four.makespan < one.makespan


def test_an_instance_costs_no_more_among_a_million_than_among_ten_thousand() -> None:
    # given shares of the same size
    costs = [
        run_ours(constant(total, 1), parallelism=total // 1_000).dollars / total
        for total in (10_000, 100_000, 1_000_000)
    ]
    # what the versions of the read model cost is by the second, and so less for each of many
    assert all(more <= fewer for fewer, more in pairwise(costs))
    assert costs[0] <= 1.2 * costs[-1]


@pytest.mark.parametrize("seconds", [0.0004, 0.1, 1.0])
def test_an_instance_takes_as_much_of_the_log_among_few_as_among_many(seconds: float) -> None:
    def units(total: int) -> float:
        work = Orchestration(seconds=constant(total, seconds), parallelism=total // 1_000)
        (fan_out,) = simulate([work], World(containers=2_000))
        return fan_out.figures.write_units / total

    assert units(100_000) == pytest.approx(units(1_000), rel=0.1)


def test_idle_warm_workers_run_what_they_can_and_the_rest_is_launched() -> None:
    enough, few = (run_ours(constant(10, 1), warm=warm) for warm in (10, 4))
    assert enough.launches == 0
    assert enough.first_start <= 2
    assert few.launches == 6


@of_every_shape
def test_every_instance_runs_once_whatever_moves(shape: str) -> None:
    work = WORKLOADS[shape]
    # `simulate` ends when all outcomes are in the read model; one that came twice would end it too early
    world = World(containers=2_000)
    (fan_out,) = simulate([Orchestration(seconds=work, moves=True)], world)
    world.env.run()
    assert fan_out.outcomes == len(work)
    assert sum(fan_out.figures.container_seconds) >= sum(work)


@pytest.mark.parametrize("count", [20, 60, 100, 300, 1_000, 1_500])
def test_the_last_launch_comes_when_the_plan_expects_it(count: int) -> None:
    simulated = run_ours(constant(count, 60), parallelism=count).last_launch - BEFORE_DISPATCH_SECONDS
    assert expected_launch_seconds(count) == pytest.approx(simulated, rel=0.2, abs=0.1)


def test_what_surrounds_the_work_takes_as_long_as_the_plan_expects() -> None:
    # given containers that start alike, and are all launched at once
    result = run_ours(constant(1, 600), parallelism=1)
    assert result.makespan - result.first_start - 600 + BEFORE_DISPATCH_SECONDS == pytest.approx(
        CONTROL_SECONDS, abs=1
    )


def test_refused_calls_are_those_beyond_the_burst_and_their_retries() -> None:
    # given as many containers as RunTask may be called for at once, and five times as many
    within, beyond = (run_ours(constant(count, 60), parallelism=count) for count in (20, 100))
    assert within.throttled == 0
    assert beyond.throttled >= 80


@pytest.mark.parametrize(("total", "seconds"), [(10_000, 0.0004), (10_000, 0.1), (10_000, 1), (1_000, 30)])
def test_the_simulation_counts_what_the_plan_computes(total: int, seconds: float) -> None:
    world = World(containers=2_000)
    (fan_out,) = simulate([Orchestration(seconds=constant(total, seconds))], world)
    blocks = estimate_blocks(total=total, containers=100, seconds_an_outcome=seconds, result_bytes=256)
    run = Run(total=total, containers=100, container_seconds=6_000, instance_seconds=seconds)
    planned = estimate_footprint(run)
    figures = fan_out.figures
    assert figures.launches == planned.containers
    assert 0.7 <= figures.stream_records / (blocks.blocks + 200) <= 1.3
    assert 0.7 <= figures.write_units / (blocks.write_units + 200) <= 1.3


@pytest.mark.parametrize("name", ["shapes", "warm"])  # the others take longer, by the same code
def test_the_page_has_what_is_simulated(name: str) -> None:
    """Refresh it with `make simulate`."""
    text = DOCUMENT.read_text()
    assert put_part(text, name, TABLES[name]()) == text


@pytest.mark.parametrize("module", [bounds, formatting])
def test_an_example_gives_what_it_says(module: ModuleType) -> None:
    """pytest looks for them in packages alone."""
    assert doctest.testmod(module).failed == 0
