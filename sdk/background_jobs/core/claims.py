"""Claims: how a container that is done takes over what another one has not begun.

A claim is a block in the range of the other container, under the number after the last block that the claimer
knows. It is no fence: the owner finds it in the place of its next block, drops the instances, and goes on
behind it. The claimed instances are a range of their own from then on, with blocks from number 0.

What is claimed is the end of a range, and no instance of it has an event. The first instance of a range is
never claimed, so that no two ranges have the same bounds. Before the claim its container announces it in its
own share, so that the next launch of that share, or who closes it, knows where else to look.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from background_jobs.core.blocks import Block, InstanceRange, cut_bodies
from background_jobs.core.events import ClaimAnnounced, InstancesClaimed
from background_jobs.core.ownership import AppendBlock, Steps, claimed_ranges, without_gaps


class Claimable(NamedTuple):
    """Instances that have not begun, and the place of the block that claims them."""

    range: InstanceRange
    """The range in which they are."""
    sequence: int
    first: int
    last: int

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


def find_claimable(instances: InstanceRange, blocks: Iterable[Block], *, may_take_whole: bool) -> Findings:
    """Return what can be claimed of *instances*, given their blocks and those of the ranges claimed from it.

    That is the second half of what has not begun; and all but the first instance where *may_take_whole*,
    and the range has no block yet.
    """
    of_range: dict[InstanceRange, list[Block]] = {}
    for block in blocks:
        of_range.setdefault(block.range, []).append(block)
    parts = dict(_with_claimed(instances, of_range))
    found = [
        _claimable(part, known, whole=may_take_whole and part == instances)
        for part, known in parts.items()
        if len(known) == len(of_range.get(part, []))  # else a block is missing that tells of others
    ]
    best = max(filter(None, found), key=lambda claimable: claimable.size, default=None)
    was_claimed, unbegun = len(parts) > 1, _unbegun(instances, parts[instances])
    return Findings(best, goes_on=was_claimed or (best is None and unbegun > 0))


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
    instances: InstanceRange, of_range: Mapping[InstanceRange, Sequence[Block]]
) -> Iterator[tuple[InstanceRange, list[Block]]]:
    """Yield the range and those to which its instances went, each with its blocks."""
    known = list(without_gaps(of_range.get(instances, [])))
    yield instances, known
    for part in claimed_ranges(instances, known):
        yield from _with_claimed(part, of_range)


def _claimable(instances: InstanceRange, blocks: Sequence[Block], *, whole: bool) -> Claimable | None:
    if any(block.read().faults for block in blocks):
        return None  # what cannot be read may be a start
    last, unbegun = _last(instances, blocks), _unbegun(instances, blocks)
    if whole and not blocks:
        size = unbegun - 1
    else:
        is_first_left = unbegun > last - instances.first
        size = unbegun // 2 if is_first_left else (unbegun + 1) // 2
    return Claimable(instances, len(blocks), last - size + 1, last) if size else None


def _unbegun(instances: InstanceRange, blocks: Sequence[Block]) -> int:
    """Return how many instances at the end of what is left of a range have no event."""
    begun = (
        event.index
        for block in blocks
        for event in block.readable_events()
        if not isinstance(event, InstancesClaimed)
    )
    return _last(instances, blocks) - max(begun, default=instances.first - 1)


def _last(instances: InstanceRange, blocks: Sequence[Block]) -> int:
    """Return the last instance of a range that nobody has claimed."""
    return min((part.first - 1 for part in claimed_ranges(instances, blocks)), default=instances.last)
