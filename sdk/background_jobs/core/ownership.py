"""Who may append to a range of job instances: the protocol that gives each instance exactly one outcome.

The functions are generators that yield what is to be read or appended and are sent the answer, so that the
log, and a test that tries every order of every step, run the same code. Three rules make it right:

1. An owner appends under the number after the last block that it knows, one block at a time, and never with
   another content than the one that it tried first.
2. Who finds another's block in its place has lost the range. It appends nothing more, or reads on from there
   and takes the range over again. Only a claim takes no more than the instances that it names, and the
   outcome of a copy no more than its instance: the owner goes on behind it, without them (`core.claims`,
   `core.hedging`).
3. Who takes a range over knows every block before its fence, and gives no instance a second outcome.
"""

import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, NamedTuple, TypeVar

from background_jobs.core.blocks import Block, InstanceRange, unfinished
from background_jobs.core.errors import BackgroundJobsError
from background_jobs.core.events import InstancesClaimed

_T = TypeVar("_T")


class RangeLost(BackgroundJobsError):
    """Somebody else has taken over the instances that this process worked on; it must end."""

    def __init__(self, instances: InstanceRange, holder: Block) -> None:
        self.instances, self.holder = instances, holder
        super().__init__(
            f"Instances {instances.first} to {instances.last} of {instances.orchestration_id} belong to "
            f"{holder.owner!r} since block {holder.sequence}. Nothing more can be appended here."
        )


class ReadBlocks(NamedTuple):
    """Read the blocks of a range from this number on; the answer is a sequence of them, in order."""

    range: InstanceRange
    from_sequence: int


class AppendBlock(NamedTuple):
    """Append a block if its place is free; the answer is None, or the block that holds the place."""

    block: Block


Steps = Generator[ReadBlocks | AppendBlock, Any, _T]
"""A protocol under way: yields what to do, is sent the answer, and returns its result."""


@dataclass(slots=True)
class Ownership:
    """The right to append to a range, as long as nobody else takes it over."""

    range: InstanceRange
    owner: str
    fence: int = 0
    next_sequence: int = 0
    claimed: int = sys.maxsize
    """The first instance that others have claimed; those before it belong to the owner."""
    hedged: set[int] = field(default_factory=set)
    """The instances of which a copy was done first."""

    def is_gone(self, index: int) -> bool:
        """Tell whether the owner may append nothing more of instance *index*, as far as it knows."""
        return index >= self.claimed or index in self.hedged

    def append(self, body: bytes) -> Steps[bool]:
        """Append one block with *body*, and return True.

        Returns False where a claim was found in its place, or the outcome of a copy. Then nothing was
        appended, `is_gone` knows of it, and the next block goes behind it. Raises RangeLost; then nothing was
        appended either.
        """
        block = Block(self.range, self.next_sequence, self.fence, self.owner, body)
        holder: Block | None = yield AppendBlock(block)
        is_mine = holder is None or holder.is_by(self.owner)
        if holder is not None and not is_mine:
            self._give_way(holder)
        self.next_sequence += 1
        return is_mine

    def _give_way(self, holder: Block) -> None:
        if claim := holder.claim():
            self.claimed = min(self.claimed, claim.index)
        elif hedge := holder.hedge():
            self.hedged.add(hedge.index)
        else:
            raise RangeLost(self.range, holder)


def begin(instances: InstanceRange, owner: str) -> Ownership:
    """Return the right that the first launch of a share has without asking: to append block 0."""
    return Ownership(instances, owner)


def take_over(
    instances: InstanceRange,
    owner: str,
    yields_to: Callable[[Block], bool] = lambda _block: False,
    *,
    always: bool = False,
) -> Steps[tuple[Ownership, list[Block]]]:
    """Fence the range, and return the right to append to it and all that is in it.

    Where every instance has its outcome, no fence is needed, and nothing is appended; unless *always*, for
    the range in which its owner announces claims.

    Raises RangeLost where *yields_to* says of a block in the range that its owner comes first: a launch that
    slept must not take the range of a later one. All blocks before the fence are known, so none is missed.
    """
    blocks: list[Block] = []
    while True:
        yield from _read_on(instances, blocks)
        events = [event for block in blocks for event in block.readable_events()]
        claimed = min(
            (event.index for event in events if isinstance(event, InstancesClaimed)), default=sys.maxsize
        )
        if not always and not unfinished(instances, events):
            return Ownership(instances, owner, _next_fence(blocks), len(blocks), claimed), blocks
        for block in blocks:
            if yields_to(block):
                raise RangeLost(instances, block)
        fence = Block(instances, len(blocks), _next_fence(blocks), owner)
        holder: Block | None = yield AppendBlock(fence)
        if holder is None or holder.is_by(owner):
            return Ownership(instances, owner, fence.fence, fence.sequence + 1, claimed), blocks


def close(
    instances: InstanceRange,
    owner: str,
    outcomes: Callable[[Sequence[int], Sequence[Block]], Iterable[bytes]],
    *,
    with_claimed: bool = False,
) -> Steps[int]:
    """Give an outcome to each instance that has none, and return how many those were.

    *outcomes* makes the bodies of blocks for unfinished instances, given the blocks of their range. The first
    block that is appended fences the range; where all have their outcome, nothing is appended. Instances that
    were claimed are another's, unless *with_claimed*: then the ranges to which they went are closed, too.

    Raises ValueError where *outcomes* does not make one for each, or none that can be read.
    """
    blocks: list[Block] = []
    is_behind = True
    while True:
        if is_behind:
            yield from _read_on(instances, blocks)
        left = unfinished(instances, (event for block in blocks for event in block.readable_events()))
        if not left:
            break
        if not is_behind:
            raise ValueError(
                f"No outcomes that can be read were made for {left} of {instances.orchestration_id}."
            )
        fence, is_behind = _next_fence(blocks), False
        for body in outcomes(left, blocks):
            block = Block(instances, len(blocks), fence, owner, body)
            holder: Block | None = yield AppendBlock(block)
            if is_behind := holder is not None and not holder.is_by(owner):
                break
            blocks.append(block)
    closed = sum(len(block.events()) for block in blocks if block.is_by(owner))
    if with_claimed:
        for part in claimed_ranges(instances, blocks):
            closed += yield from close(part, owner, outcomes, with_claimed=True)
    return closed


def claimed_ranges(instances: InstanceRange, blocks: Iterable[Block]) -> list[InstanceRange]:
    """Return the ranges to which instances went that were claimed, given the *blocks* of their range."""
    claims = (block.claim() for block in blocks)
    return [instances.part(claim.index, claim.last) for claim in claims if claim is not None]


def without_gaps(blocks: Sequence[Block], start: int = 0) -> Iterator[Block]:
    """Yield those of *blocks*, of one range and in order, that precede the first missing number."""
    numbered = enumerate(blocks, start=start)
    return (block for _, block in takewhile(lambda pair: pair[0] == pair[1].sequence, numbered))


def _read_on(instances: InstanceRange, blocks: list[Block]) -> Steps[None]:
    """Add to *blocks* those that follow them, up to the first that is missing.

    A query is not of one moment: it may miss a block, and see the one that was appended after it.
    """
    found: Sequence[Block] = yield ReadBlocks(instances, len(blocks))
    blocks += without_gaps(found, start=len(blocks))


def _next_fence(blocks: Sequence[Block]) -> int:
    return max((block.fence for block in blocks), default=-1) + 1
