"""Hedging: an instance that takes long is run by a second container, too, and the first outcome counts.

The copy leaves no trace in the log until it is done. Then its outcome is a block in the range of the
instance, under the number after the last block, if no block before it has one. It is no fence: the owner
finds it in the place of its next block, drops what it has of that instance, and goes on behind it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import quantiles

from background_jobs.core.blocks import Block, InstanceRange, cut_bodies, unfinished
from background_jobs.core.events import JobCompleted
from background_jobs.core.limits import HEDGE_INSTANCES, HEDGE_RATIO, HEDGE_SECONDS
from background_jobs.core.ownership import AppendBlock, ReadBlocks, Steps, without_gaps
from background_jobs.core.range_progress import RangeProgress


@dataclass(frozen=True, slots=True)
class RunningInstance:
    """An instance that runs in the container that has its range."""

    range: InstanceRange
    sequence: int
    """The number of the block after the last one that is known."""
    index: int
    attempt: int
    since: datetime


def hedge_after(seconds: Sequence[float]) -> float | None:
    """Return after how many seconds an instance is slow, where others took *seconds*; None if too few did.

    >>> hedge_after([1.0] * 19 + [3.0]), hedge_after([1.0, 1.0])
    (5.8, None)
    """
    if len(seconds) < HEDGE_INSTANCES:
        return None
    most = quantiles(seconds, n=20)[-1]
    return max(HEDGE_SECONDS, HEDGE_RATIO * most)


def find_running(progress: Iterable[RangeProgress]) -> Iterator[RunningInstance]:
    """Yield the instances that run and may be run twice: none that may have ended a process before."""
    for part in progress:
        for index, start in part.running.items():
            if part.is_readable and index not in part.lost and index <= part.last:
                yield RunningInstance(part.range, part.sequence, index, start.attempt, start.at)


def bring_in(instances: InstanceRange, outcome: JobCompleted, owner: str) -> Steps[bool]:
    """Append the *outcome* of a copy, and return True; or return False where the instance has one already.

    Where it was claimed, it has gone to another range, and another copy may bring its outcome there.
    """
    (body,) = cut_bodies([outcome])
    blocks: list[Block] = []
    while True:
        found: Sequence[Block] = yield ReadBlocks(instances, len(blocks))
        blocks += without_gaps(found, start=len(blocks))
        events = (event for block in blocks for event in block.readable_events())
        is_readable = not any(block.read().faults for block in blocks)
        if not is_readable or outcome.index not in unfinished(instances, events):
            return False
        holder: Block | None = yield AppendBlock(Block(instances, len(blocks), 0, owner, body))
        if holder is None or holder.is_by(owner):
            return True


def is_over(instances: InstanceRange, index: int, blocks: Iterable[Block]) -> bool:
    """Tell whether *blocks* of a range say that nothing more is to come of instance *index* there."""
    return index not in unfinished(
        instances, (event for block in blocks for event in block.readable_events())
    )
