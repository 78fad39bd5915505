"""The tables of docs/simulation.md: what is simulated, and how it is shown."""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from background_jobs.core.limits import PARALLELISM
from background_jobs.core.planning.costs import hourly
from background_jobs.core.planning.fargate import LEAST_BILLED_SECONDS, launch_seconds
from background_jobs.core.planning.prices import US_EAST_1
from background_jobs.core.planning.quotas import NEW_ACCOUNT_VCPUS
from benchmarks.simulate.comparison import (
    SIZE,
    Result,
    price,
    run_batch,
    run_lambda,
    run_one_task_each,
    run_ours,
    transitions_of_refusals,
)
from benchmarks.simulate.fan_out import BEFORE_DISPATCH_SECONDS, Orchestration, World, simulate
from benchmarks.simulate.formatting import format_dollars, format_seconds, format_table
from benchmarks.simulate.workloads import Seconds, constant, lognormal, straggler

SIZES: Final = (
    (100, 1.0),
    (100, 3_600.0),
    (1_000, 0.1),
    (1_000, 10.0),
    (10_000, 1.0),
    (10_000, 60.0),
    (100_000, 1.0),
    (1_000_000, 0.1),
    (1_000_000, 1.0),
)
PARALLELISMS: Final = (10, 30, 100, 300, 1_000, 3_000)
CONTAINER_HOUR: Final = hourly(SIZE) + US_EAST_1.public_ipv4_hour
"""Dollars."""


def _cell(result: Result | None) -> str:
    if result is None:
        return "not possible"
    return f"{format_seconds(result.makespan)}, {format_dollars(result.dollars)}"


@lru_cache(maxsize=64)
def _uneven(total: int, seconds: float) -> Seconds:
    return lognormal(total, seconds)


@lru_cache(maxsize=64)
def compare(total: int, seconds: float) -> dict[str, Result | None]:
    """Return what each way makes of uneven instances; one task each is left out where it takes for ever."""
    work = _uneven(total, seconds)
    return {
        "ours": run_ours(work, moves=True),
        "ours, fixed shares": run_ours(work),
        "one task each": run_one_task_each(work) if total <= PARALLELISM else None,
        "Batch array": run_batch(work),
        "Lambda": run_lambda(work),
    }


def comparison_table() -> str:
    """Return what each way to run uneven work takes and costs."""
    rows = []
    for total, seconds in SIZES:
        results = compare(total, seconds)
        cells = {name: _cell(result) for name, result in results.items()}
        if total > PARALLELISM:
            dollars = total * LEAST_BILLED_SECONDS / 3_600 * CONTAINER_HOUR
            cells["one task each"] = (
                f"above {format_seconds(launch_seconds(total))}, {format_dollars(dollars)}"
            )
        rows.append([f"{total:,} x {_mean(seconds)}", *cells.values()])
    return format_table(["instances", *compare(*SIZES[0])], rows)


def _mean(seconds: float) -> str:
    return "1 h" if seconds == 3_600 else f"{seconds:g} s"  # noqa: PLR2004 -- an hour


def shapes_table() -> str:
    """Return how near the least possible time fixed shares come, and work that moves, by how uneven it is."""
    total, seconds, containers = 10_000, 5.0, 100
    longest = total * seconds / containers / 5
    shapes = {
        "all alike": constant(total, seconds),
        "lognormal, sigma 0.5": lognormal(total, seconds, sigma=0.5),
        "lognormal, sigma 1": _uneven(total, seconds),
        "lognormal, sigma 2": lognormal(total, seconds, sigma=2),
        "one of 100 s in the middle": straggler(total, seconds, longest=longest, index=total // 2 + 50),
        "one of 100 s at the very end": straggler(total, seconds, longest=longest, index=total - 1),
    }
    rows = []
    for name, work in shapes.items():
        fixed, moving = run_ours(work), run_ours(work, moves=True)
        times = [format_seconds(value) for value in (fixed.bound, fixed.makespan, moving.makespan)]
        ratios = (fixed.ratio, fixed.queue / fixed.bound, moving.ratio)
        rows.append([name, *times, *(f"{ratio:.2f}" for ratio in ratios)])
    return format_table(
        [
            "10,000 x 5 s in 100 containers",
            "least possible",
            "fixed shares",
            "work moves",
            "fixed / least possible",
            "one queue / least possible",
            "moves / least possible",
        ],
        rows,
    )


@lru_cache(maxsize=16)
def vary_parallelism(parallelism: int) -> tuple[Result, Result]:
    """Return what fixed shares take, and work that moves."""
    work = _uneven(10_000, 5.0)
    return tuple(run_ours(work, parallelism=parallelism, moves=moves) for moves in (False, True))  # type: ignore[return-value]


def parallelism_table() -> str:
    """Return what the number of containers changes."""
    rows = []
    for parallelism in PARALLELISMS:
        fixed, moving = vary_parallelism(parallelism)
        rows.append(
            [
                f"{parallelism:,}",
                format_seconds(fixed.makespan),
                format_seconds(moving.makespan),
                f"{moving.ratio:.2f}",
                format_dollars(moving.dollars),
                f"{moving.throttled:,}",
                format_seconds(moving.last_launch),
                format_seconds(launch_seconds(moving.launches)),
            ]
        )
    return format_table(
        [
            "containers",
            "fixed shares",
            "work moves",
            "moves / least possible",
            "price",
            "refused calls",
            "last launch",
            "at 20 a second",
        ],
        rows,
    )


def warm_table() -> str:
    """Return what warm workers change for small and short orchestrations."""
    rows = []
    for total in (1, 10, 100, 1_000):
        work = constant(total, 1.0)
        results = [run_ours(work, moves=True, warm=warm) for warm in (0, 2, 10)]
        results += [run_ours(work, moves=True, warm=warm, parallelism=warm) for warm in (2, 10)]
        cells = [
            f"{format_seconds(result.first_start)} / {format_seconds(result.makespan)} / {result.launches}"
            for result in results
        ]
        rows.append([f"{total:,} x 1 s", *cells])
    head = ("none warm", "2 warm", "10 warm", "2 warm, parallelism 2", "10 warm, parallelism 10")
    return format_table(["first start / end / launched", *head], rows)


def queue_table() -> str:
    """Return how orchestrations share a quota that is too small for them."""
    new = int(NEW_ACCOUNT_VCPUS / SIZE.vcpus)
    rows = [
        _queue_row(count, Orchestration(seconds=constant(total, seconds), parallelism=parallelism), quota)
        for count, total, seconds, parallelism, quota in (
            (1, 100, 600.0, 100, new),
            (1, 100, 600.0, new, new),
            (10, 20, 60.0, 20, new),
            (50, 20, 600.0, 20, new),
            (50, 20, 600.0, 1, new),
            (10, 100, 600.0, 100, 200),
            (10, 100, 600.0, 20, 200),
        )
    ]
    ends = ("least possible", "first ends", "last ends", "last / least possible")
    costs = ("refused calls for each container", "price of refused calls", "price of all")
    return format_table(["orchestrations", "parallelism", "containers at once", *ends, *costs], rows)


def _queue_row(count: int, work: Orchestration, quota: int) -> list[str]:
    world, seconds = World(containers=quota), work.seconds
    fan_outs = simulate([work] * count, world)
    busy = math.fsum(math.fsum(seconds) + math.fsum(fan_out.starts) for fan_out in fan_outs)
    least = BEFORE_DISPATCH_SECONDS + busy / quota
    all_figures = [fan_out.figures for fan_out in fan_outs]
    ends = sorted(figures.makespan for figures in all_figures)
    refused = sum(figures.throttled + figures.refused for figures in all_figures)
    return [
        f"{count} of {len(seconds)} x {_mean(seconds[0])}",
        f"{work.containers}",
        f"{quota:,}",
        *(format_seconds(time) for time in (least, ends[0], ends[-1])),
        f"{ends[-1] / least:.2f}",
        f"{refused / count / work.containers:.1f}",
        format_dollars(US_EAST_1.state_transition * sum(map(transitions_of_refusals, all_figures))),
        format_dollars(sum(price(seconds, figures, world.log.commits / count) for figures in all_figures)),
    ]


def log_table() -> str:
    """Return where the write units of a new table are the limit."""
    work = constant(1_000_000, 0.1)
    rows = []
    for parallelism in (100, 1_000):
        new, ready = (run_ours(work, parallelism=parallelism, partitions=count) for count in (4, 16))
        rows.append(
            [f"{parallelism:,}", *(format_seconds(t) for t in (new.bound, new.makespan, ready.makespan))]
        )
    return format_table(
        ["1,000,000 x 0.1 s, containers", "least possible", "new table", "`warm_throughput` 16,000"], rows
    )


TABLES: Final[dict[str, Callable[[], str]]] = {
    "comparison": comparison_table,
    "shapes": shapes_table,
    "parallelism": parallelism_table,
    "warm": warm_table,
    "queue": queue_table,
    "log": log_table,
}
"""By the name that stands in the document where the table does."""
