"""What one way to run a workload takes and costs: ours, and those that people build by hand."""

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

from background_jobs.core.containers.shares import share_count
from background_jobs.core.limits import DEFAULT_PARALLELISM, PARALLELISM
from background_jobs.core.planning.costs import price_footprint
from background_jobs.core.planning.fargate import TASK_LAUNCHES, TaskSize, billed_seconds
from background_jobs.core.planning.footprint import Footprint, Run, estimate_footprint
from benchmarks.simulate.bounds import lower_bound, run_in_order, run_queue
from benchmarks.simulate.event_log import POLL_SECONDS
from benchmarks.simulate.fan_out import (
    BEFORE_DISPATCH_SECONDS,
    DISPATCHES,
    OFFER_SECONDS,
    FanOut,
    Figures,
    Orchestration,
    World,
    simulate,
)
from benchmarks.simulate.launches import TokenBucket, draw_starts
from benchmarks.simulate.workloads import Seconds

CONTAINERS: Final = 2_000
"""What an account may run at once here: a quota of 1,000 vCPUs, at half a vCPU each."""
SIZE: Final = TaskSize()

BATCH_SECONDS: Final = 10.0
"""From SubmitJob to the first launch; AWS publishes no figure, and calls some seconds usual."""
BATCH_ARRAY: Final = 10_000
"""The children of one array job."""

FUNCTIONS: Final = 1_000
"""Lambda's concurrency in an account."""
FUNCTION_LIMIT_SECONDS: Final = 900.0
FUNCTION_START_SECONDS: Final = 1.0
_FUNCTION_AIM_SECONDS: Final = 300.0
"""How much is packed into one call: a third of the limit, for nobody knows how uneven the work is."""
_FUNCTION_GB: Final = 1.0

_DELAY_TRANSITIONS: Final = 3
"""NoteDelay, WaitForLaunch and Launch, before the container is launched again."""


class Result(NamedTuple):
    """One way to run a workload; times in seconds."""

    first_start: float
    makespan: float
    dollars: float
    launches: int
    throttled: int = 0
    last_launch: float = math.nan
    bound: float = math.nan
    """The least possible time with these containers."""
    queue: float = math.nan
    """The time of a queue from which these containers take one instance after the other, at no cost."""

    @property
    def ratio(self) -> float:
        """Return how many times the bound it takes."""
        return self.makespan / self.bound


def run_ours(  # noqa: PLR0913 -- what is varied
    seconds: Seconds,
    *,
    parallelism: int = DEFAULT_PARALLELISM,
    moves: bool = False,
    warm: int = 0,
    containers: int = CONTAINERS,
    partitions: int = 4,
) -> Result:
    """Run a workload by this service."""
    world = World(containers=containers, warm=warm, partitions=partitions)
    (fan_out,) = simulate([Orchestration(seconds=seconds, parallelism=parallelism, moves=moves)], world)
    figures = fan_out.figures
    return Result(
        first_start=figures.first_start,
        makespan=figures.makespan,
        dollars=price(seconds, figures, world.log.commits),
        launches=figures.launches,
        throttled=figures.throttled + figures.refused,
        last_launch=figures.last_launch,
        bound=lower_bound(seconds, ready_at(fan_out, containers)),
        queue=run_queue(seconds, ready_at(fan_out, containers)),
    )


def ready_at(fan_out: FanOut, containers: int) -> list[float]:
    """Return when the containers of an orchestration start that are launched at once, as many as may be."""
    warm = fan_out.figures.warm_shares
    ready = [BEFORE_DISPATCH_SECONDS + start for start in fan_out.starts[warm:]]
    return [BEFORE_DISPATCH_SECONDS + OFFER_SECONDS] * warm + sorted(ready)[:containers]


def price(seconds: Seconds, figures: Figures, commits: float) -> float:
    """Return the dollars of an orchestration, with what was simulated in place of what is planned."""
    total = len(seconds)
    planned = estimate_footprint(
        Run(
            total=total,
            containers=figures.launches + figures.warm_shares,
            container_seconds=sum(map(billed_seconds, figures.container_seconds)),
            instance_seconds=math.fsum(seconds) / total,
        )
    )
    used = planned.model_copy(
        update={
            "log_write_units": figures.write_units,
            "commits": commits,
            "model_write_units": planned.model_write_units * commits / planned.commits,
            "state_transitions": planned.state_transitions + transitions_of_refusals(figures),
        }
    )
    return price_footprint(used, SIZE, public_ip=True).dollars


def transitions_of_refusals(figures: Figures) -> int:
    """Return the state transitions of calls in vain: one for each, and those around the function's call."""
    return figures.throttled + figures.refused + figures.delays * _DELAY_TRANSITIONS


def run_one_task_each(seconds: Seconds, *, containers: int = CONTAINERS) -> Result:
    """Run each instance in a task of its own, under a Map that launches as ours does."""
    return run_ours(seconds, parallelism=PARALLELISM, containers=containers)


def run_batch(
    seconds: Seconds, *, parallelism: int = DEFAULT_PARALLELISM, containers: int = CONTAINERS
) -> Result:
    """Run an array job of AWS Batch on Fargate, packed beforehand into as many children as containers.

    Batch is granted what helps it: it launches as fast as Fargate does, is never throttled, and knows of the
    end at once.
    """
    count = share_count(len(seconds), parallelism, BATCH_ARRAY)
    works, bucket, starts = _pack(seconds, count), TokenBucket(TASK_LAUNCHES), draw_starts(count, seed=0)
    launches = [BATCH_SECONDS + bucket.reserve(BATCH_SECONDS) for _ in range(count)]
    taken = [start + work for start, work in zip(starts, works, strict=True)]
    begins = run_in_order(launches, taken, containers)
    billed = sum(map(billed_seconds, works))
    return Result(
        first_start=min(begin + start for begin, start in zip(begins, starts, strict=True)),
        makespan=max(begin + busy for begin, busy in zip(begins, taken, strict=True)),
        dollars=_price_of(containers=count, container_seconds=billed),
        launches=count,
        bound=lower_bound(seconds, sorted(BATCH_SECONDS + start for start in starts)[:containers]),
    )


def run_lambda(seconds: Seconds) -> Result | None:
    """Run the workload in functions under a Map, packed beforehand; None where a call would take too long."""
    most = math.ceil(math.fsum(seconds) / _FUNCTION_AIM_SECONDS)
    count = min(len(seconds), PARALLELISM, max(FUNCTIONS, most))
    works, bucket = _pack(seconds, count), TokenBucket(DISPATCHES)
    if max(works) > FUNCTION_LIMIT_SECONDS:
        return None
    before = BEFORE_DISPATCH_SECONDS - POLL_SECONDS / 2
    ready = [before + bucket.reserve(before) for _ in range(count)]
    taken = [FUNCTION_START_SECONDS + work for work in works]
    begins = run_in_order(ready, taken, FUNCTIONS)
    return Result(
        first_start=begins[0] + FUNCTION_START_SECONDS,
        makespan=max(begin + busy for begin, busy in zip(begins, taken, strict=True)),
        dollars=_price_of(
            invocations=count,
            function_gb_seconds=math.fsum(works) * _FUNCTION_GB,
            state_transitions=2 * count,
        ),
        launches=count,
        bound=lower_bound(seconds, [before + FUNCTION_START_SECONDS] * min(count, FUNCTIONS)),
    )


def _pack(seconds: Seconds, count: int) -> Sequence[float]:
    """Cut a workload by number, and return the work of each part."""
    total, until = len(seconds), list(accumulate(seconds, initial=0.0))
    ends = [total * number // count for number in range(count + 1)]
    return [until[end] - until[first] for first, end in pairwise(ends)]


def _price_of(**used: float) -> float:
    nothing = dict.fromkeys(Footprint.model_fields, 0)
    return price_footprint(Footprint.model_validate(nothing | used), SIZE, public_ip=True).dollars
