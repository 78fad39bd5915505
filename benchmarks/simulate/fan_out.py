"""An orchestration on AWS: the Map, the launches of its shares, the containers, and what they append."""

import math
import random
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from itertools import accumulate, repeat
from typing import Any, Final

import simpy

from background_jobs.core.containers.delays import DelayReason
from background_jobs.core.containers.shares import cut_shares, share_count
from background_jobs.core.events import LOG_PARTITIONS
from background_jobs.core.limits import (
    APPEND_SECONDS,
    CLAIM_INSTANCE_SECONDS,
    CLAIM_LOOKS,
    DEFAULT_PARALLELISM,
    PARALLELISM,
)
from background_jobs.core.planning.blocks_written import WRITE_UNIT_BYTES, block_bytes, instances_a_flush
from background_jobs.core.planning.fargate import RateQuota
from background_jobs.core.planning.footprint import STREAM_SHARDS
from background_jobs.core.ranges import InclusiveRange
from benchmarks.simulate.event_log import APPEND_CALL_SECONDS, POLL_SECONDS, EventLog, Process
from benchmarks.simulate.launches import Account, Refusals, TokenBucket, draw_starts, wait_as_landed
from benchmarks.simulate.moves import QUERIES_AT_ONCE, Part, claim
from benchmarks.simulate.workloads import Seconds

DISPATCHES: Final = RateQuota(burst=1_300, per_second=300)
"""How fast a Map starts its children: as StartExecution may be called, for no other rate is published."""
BEFORE_DISPATCH_SECONDS: Final = POLL_SECONDS / 2 + 0.1 + 0.1 + 0.5
"""From the kick-off to the first child: stream, function, StartExecution, and the Map with its manifest."""
OFFER_SECONDS: Final = 0.3
"""From an offer over SQS to the first line of a job in a warm worker."""
CLAIM_CALLS: Final = 4
RESULT_BYTES: Final = 256
PIECES: Final = 200
"""In so many pieces at most a share is worked on, so that large ones take no longer to simulate."""
_ROUNDING: Final = 1e-7
"""Seconds by which sums may be wrong."""

Rule = Callable[[Refusals, DelayReason, float], float | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Orchestration:
    """One kick-off, *at* so many seconds."""

    seconds: Seconds
    parallelism: int = DEFAULT_PARALLELISM
    at: float = 0.0
    moves: bool = False
    """Whether containers that are done claim what others have not begun."""

    @property
    def containers(self) -> int:
        """Return how many shares it is cut into."""
        return share_count(len(self.seconds), self.parallelism, PARALLELISM)


class World:
    """What the orchestrations of an account share; *warm* workers are idle at first."""

    def __init__(
        self, *, containers: int, warm: int = 0, partitions: int = STREAM_SHARDS, rule: Rule = wait_as_landed
    ) -> None:
        self.env = simpy.Environment()
        self.account = Account(containers)
        self.log = EventLog(self.env, partitions=partitions)
        self.dispatches = TokenBucket(DISPATCHES)
        self.idle_workers = warm
        self.rule = rule
        self.draw = random.Random(7)


@dataclass
class Figures:
    """What became of an orchestration; times in seconds from its kick-off."""

    first_start: float = math.inf
    makespan: float = math.inf
    launched_at: list[float] = field(default_factory=list)
    throttled: int = 0
    """Calls of RunTask beyond its rate, or that of Fargate's launches."""
    refused: int = 0
    """Those beyond the quota of vCPUs."""
    delays: int = 0
    """Calls of the function that says when to launch again."""
    given_up: int = 0
    """Shares that were closed without a container."""
    warm_shares: int = 0
    moved: int = 0
    """Instances that were claimed."""
    container_seconds: list[float] = field(default_factory=list)
    """How long each container was at work."""
    write_units: float = 0.0
    stream_records: float = 0.0

    @property
    def launches(self) -> int:
        """Return how many containers were launched."""
        return len(self.launched_at)

    @property
    def last_launch(self) -> float:
        """Return when the last of them was."""
        return max(self.launched_at, default=0.0)


class FanOut:
    """One orchestration in its world."""

    def __init__(self, world: World, orchestration: Orchestration, *, seed: int = 0) -> None:
        self.orchestration = orchestration
        self.figures = Figures()
        self.completed = world.env.event()
        self._world, self._env = world, world.env
        self._name = str(seed)
        self._draw = random.Random(seed)
        self._total = len(orchestration.seconds)
        self._until = list(accumulate(orchestration.seconds, initial=0.0))
        self._mean = self._until[-1] / self._total
        self._piece = max(APPEND_SECONDS, self._until[-1] / orchestration.containers / PIECES)
        self.outcomes = 0
        self.starts = draw_starts(orchestration.containers, seed=seed)
        self._shares = [
            [Part(*part) for part in LOG_PARTITIONS.split(InclusiveRange(share.first, share.last))]
            for share in cut_shares(repeat(1), self._total, orchestration.containers)
        ]
        world.env.process(self._run())

    def _run(self) -> Process:
        world, count = self._world, len(self._shares)
        yield self._env.timeout(self.orchestration.at + BEFORE_DISPATCH_SECONDS)
        offered = self.figures.warm_shares = min(world.idle_workers, count)
        world.idle_workers -= offered
        for number in range(count):
            self._env.process(self._offer(number) if number < offered else self._launch(number))

    def _offer(self, number: int) -> Process:
        yield self._env.timeout(self._world.dispatches.reserve(self._env.now) + OFFER_SECONDS)
        yield from self._work_on_share(number)
        self._world.idle_workers += 1

    def _launch(self, number: int) -> Process:
        figures, account, refusals = self.figures, self._world.account, Refusals()
        yield self._env.timeout(self._world.dispatches.reserve(self._env.now))
        while reason := account.run_task(self._env.now):
            figures.throttled += reason is DelayReason.THROTTLED
            figures.refused += reason is DelayReason.QUOTA
            before = refusals.tries
            seconds = self._world.rule(refusals, reason, self._world.draw.random())
            figures.delays += refusals.tries is not before
            if seconds is None:
                figures.given_up += 1
                self._fold(sum(part.unbegun for part in self._shares[number]))
                return
            yield self._env.timeout(seconds)
        figures.launched_at.append(self._env.now - self.orchestration.at)
        yield self._env.timeout(self.starts[number])
        began = self._env.now
        yield from self._work_on_share(number)
        account.end_task()
        figures.container_seconds.append(self._env.now - began)

    def _work_on_share(self, number: int) -> Process:
        self.figures.first_start = min(self.figures.first_start, self._env.now - self.orchestration.at)
        appended = self._append_one()
        if instances_a_flush(self._mean) == 1:
            appended = self._append_one()  # the first start, which no outcome stands for
        for part in self._shares[number]:
            appended = yield from self._work_on(part, appended)
        while self.orchestration.moves and (claimed := (yield from self._claim())):
            self.figures.moved += claimed.unbegun
            appended = yield from self._work_on(claimed, appended)
        yield appended
        yield self._append_one()

    def _work_on(self, part: Part, appended: simpy.Event) -> Generator[simpy.Event, Any, simpy.Event]:
        while part.next <= part.last:
            first = part.next
            # with the instance during which the piece is full: its outcome is there when the rest is appended
            full = self._until[first] + self._piece + _ROUNDING
            part.next = bisect_right(self._until, full, first + 1, part.last + 1)
            part.has_begun = True
            # The instance that fills the piece is the one that its owner is in for longest.
            long_from = self._until[part.next - 1] - self._until[first]
            part.running_since = self._env.now + long_from
            yield self._env.timeout(self._until[part.next] - self._until[first])
            yield appended  # one append is under way while the next instances run
            appended = self._append(first, part.next - first)
        part.running_since = None
        return appended

    def _append(self, first: int, count: int) -> simpy.Event:
        mean = (self._until[first + count] - self._until[first]) / count
        together = min(count, instances_a_flush(mean - _ROUNDING))
        blocks = count / together
        units = blocks * math.ceil(block_bytes(together, RESULT_BYTES) / WRITE_UNIT_BYTES)
        return self._put(f"{self._name}#{LOG_PARTITIONS.number(first)}", blocks, units, count)

    def _append_one(self) -> simpy.Event:
        """Append an event of the container, or the first start of its share."""
        return self._put(self._name, 1, 1, 0)

    def _put(self, key: str, blocks: float, units: float, outcomes: int) -> simpy.Event:
        self.figures.write_units += units
        self.figures.stream_records += blocks
        return self._world.log.append(key, blocks=blocks, units=units, on_folded=lambda: self._fold(outcomes))

    def _fold(self, outcomes: int) -> None:
        self.outcomes += outcomes
        if self.outcomes == self._total and not self.completed.triggered:
            self.figures.makespan = self._env.now - self.orchestration.at
            self.completed.succeed()

    def _claim(self) -> Generator[simpy.Event, Any, Part | None]:
        if self._mean < CLAIM_INSTANCE_SECONDS or len(self._shares) == self._total:
            return None
        # It looked while its last instance ran, and looks at all of them again where that is used up.
        for queries in (1, math.ceil(min(len(self._shares), CLAIM_LOOKS) / QUERIES_AT_ONCE)):
            yield self._env.timeout(queries * APPEND_CALL_SECONDS)
            part = claim(self._shares, self._env.now, self._mean, self._draw)
            if part:
                yield self._env.timeout(CLAIM_CALLS * APPEND_CALL_SECONDS)
                return part
        return None


def simulate(orchestrations: Iterable[Orchestration], world: World) -> list[FanOut]:
    """Run *orchestrations* in *world* until every one is completed."""
    fan_outs = [FanOut(world, one, seed=number) for number, one in enumerate(orchestrations)]
    world.env.run(world.env.all_of([fan_out.completed for fan_out in fan_outs]))
    return fan_outs
