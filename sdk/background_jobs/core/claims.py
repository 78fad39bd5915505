"""Claims: how a container that is done takes over what another one has not begun.

A claim is a block in the range of the other container, under the number after the last block that the claimer
knows. It is no fence: the owner finds it in the place of its next block, drops the instances, and goes on
behind it. The claimed instances are a range of their own from then on, with blocks from number 0.

What is claimed is the end of a range, and no instance of it has an event. The first instance of a range is
never claimed, so that no two ranges have the same bounds. Before the claim its container announces it in its
own share, so that the next launch of that share, or who closes it, knows where else to look.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from background_jobs.core.blocks import Block, InstanceRange, cut_bodies
from background_jobs.core.events import ClaimAnnounced, InstancesClaimed
from background_jobs.core.limits import CLAIM_INSTANCE_SECONDS
from background_jobs.core.ownership import AppendBlock, Steps, without_gaps
from background_jobs.core.range_progress import RangeProgress


class Claimable(NamedTuple):
    """Instances that have not begun, and the place of the block that claims them."""

    range: InstanceRange
    """The range in which they are."""
    sequence: int
    first: int
    last: int
    backlog: float = 0.0
    """The seconds that its owner would take for what is left."""
    seconds: float = 0.0
    """What an instance takes, more or less."""

    @property
    def size(self) -> int:
        """Return how many instances those are."""
        return self.last - self.first + 1

    def announce(self, share: int, index: int, at: datetime) -> ClaimAnnounced:
        """Return the event by which *share*, whose first instance is *index*, announces the claim."""
        return ClaimAnnounced(
            orchestration_id=self.range.orchestration_id,
            at=at,
            index=index,
            share=share,
            first=self.first,
            last=self.last,
            from_first=self.range.first,
            from_last=self.range.last,
            sequence=self.sequence,
        )


class Findings(NamedTuple):
    """What is to be had of the instances of one range, whoever owns them by now."""

    claimable: Claimable | None
    """The most that can be claimed at once."""
    goes_on: bool
    """Whether there may be more in the range before it: its owner works in order and has not come to its end,
    and what is here was claimed already, or is the one instance that stays.
    """
    progress: Sequence[RangeProgress] = ()
    """How far the owners are of the range, and of those that were claimed from it."""


def find_claimable(
    instances: InstanceRange, blocks: Iterable[Block], now: datetime, mean: float, *, may_take_whole: bool
) -> Findings:
    """Return what can be claimed of *instances*, given their blocks and those of the ranges claimed from it.

    That is about half of what its owner has before it at the time *now*, where an instance takes *mean*
    seconds unless the range tells better (`count_to_claim`); and all but the first instance where
    *may_take_whole*, and the range has no block yet.
    """
    of_range: dict[InstanceRange, list[Block]] = {}
    for block in blocks:
        of_range.setdefault(block.range, []).append(block)
    parts = list(_with_claimed(instances, of_range, None))
    found = [
        _claimable(part, now, mean, whole=may_take_whole and part.range == instances)
        for part in parts
        if part.sequence == len(of_range.get(part.range, []))  # else a block is missing that tells of others
    ]
    best = max(filter(None, found), key=lambda claimable: claimable.backlog, default=None)
    was_claimed = len(parts) > 1
    return Findings(best, was_claimed or (best is None and parts[0].unbegun > 0), parts)


def count_to_claim(unbegun: int, busy: float) -> int:
    """Return how many of *unbegun* instances to claim of an owner that is *busy* for the time of some more.

    That shares evenly what is left: half of all, of which the claimer runs none yet. One that is in a long
    instance gives all away, for nobody knows when it comes to them.

    >>> [count_to_claim(4, busy) for busy in (0, 1, 4)]
    [2, 3, 4]
    """
    return min(unbegun, math.ceil((unbegun + busy) / 2))


def count_surely_left(unbegun: int, busy: float) -> int:
    """Return how many of *unbegun* instances two claims leave to their owner, one after the other."""
    for _ in range(2):
        unbegun -= count_to_claim(unbegun, busy)
    return unbegun


def settle(home: InstanceRange, announced: ClaimAnnounced, owner: str) -> Steps[bool]:
    """Make the claim that was *announced* in *home*, or find that it was made; return False if it never is.

    Whoever settles it, a claim is the same: a block under one number, by one share.
    """
    claim = InstancesClaimed(
        orchestration_id=home.orchestration_id,
        at=announced.at,
        index=announced.first,
        last=announced.last,
        share=announced.share,
    )
    (body,) = cut_bodies([claim])
    victim = home.part(announced.from_first, announced.from_last)
    holder: Block | None = yield AppendBlock(Block(victim, announced.sequence, 0, owner, body))
    return holder is None or holder.claim() == claim


def _with_claimed(
    instances: InstanceRange, of_range: Mapping[InstanceRange, Sequence[Block]], since: datetime | None
) -> Iterator[RangeProgress]:
    """Yield how far the owners of the range are, and of those to which its instances went."""
    progress = RangeProgress.of(instances, list(without_gaps(of_range.get(instances, []))), since)
    yield progress
    for claim in progress.claims:
        yield from _with_claimed(instances.part(claim.index, claim.last), of_range, claim.at)


def _claimable(progress: RangeProgress, now: datetime, mean: float, *, whole: bool) -> Claimable | None:
    if not progress.is_readable:
        return None  # what cannot be read may be a start
    seconds = progress.expect(now, mean)
    if seconds < CLAIM_INSTANCE_SECONDS:
        return None  # so many may begin before it is known that some would run twice
    unbegun, typical = progress.unbegun, progress.typical(mean)
    busy = progress.seconds_busy(now) / typical if typical else 0.0
    if whole and not progress.sequence:
        size = unbegun - 1
    elif progress.has_begun:
        size = count_to_claim(unbegun, busy)
    else:
        # The first stays, and nobody runs it, unless the range was claimed.
        size = count_to_claim(unbegun - 1, busy) if progress.since else unbegun // 2
    last = progress.last
    if size <= 0:
        return None
    return Claimable(
        progress.range, progress.sequence, last - size + 1, last, (unbegun + busy) * seconds, seconds
    )
