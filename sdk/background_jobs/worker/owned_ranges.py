"""The ranges of a share, and the right of one launch to append to them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple, TypeVar
from uuid import uuid4

from background_jobs.aws.block_log import BlockLog
from background_jobs.core.blocks import Block, InstanceRange, fill_body, unfinished
from background_jobs.core.claims import count_surely_left, settle
from background_jobs.core.events import PARTITION_SIZE, ClaimAnnounced, JobEvent
from background_jobs.core.limits import APPEND_SECONDS
from background_jobs.core.ownership import Ownership, begin, take_over
from background_jobs.worker.working_time import WorkingTime

_T = TypeVar("_T")
_OWNER: Final = "launch"
_CLAIMER: Final = "claimer"
_READERS: Final = 8


class EncodedEvent(NamedTuple):
    """An event as it is in a block, and the index of its instance."""

    instance: int
    content: bytes
    is_of_share: bool = False
    """Whether it is written whatever becomes of its instance."""


class OwnedRanges:
    """The ranges of a share, and those that it has claimed, as one launch owns them.

    The first launch begins a range without reading it, when it first appends there. A later launch takes all
    ranges over before it appends to any. An append that finds another owner's block in its place raises
    RangeLost; then this launch must end. Only a claim costs no more than the instances that it names.

    *may_claim* says whether its launches may claim what other shares have not begun.
    """

    def __init__(
        self,
        block_log: BlockLog,
        ranges: Iterable[InstanceRange],
        launch: int,
        working_time: WorkingTime,
        *,
        may_claim: bool = False,
    ) -> None:
        self._block_log = block_log.until(working_time.is_over)
        self._working_time = working_time
        self._ranges = list(ranges)
        self._launch = launch
        self._owner = f"{_OWNER} {launch} {uuid4().hex}"
        self._may_claim = may_claim
        self._owned: dict[InstanceRange, Ownership] = {}
        self._reached: dict[InstanceRange, int] = {}
        """The highest instance of each range of which an event is in the log."""
        self.claimed: list[InstanceRange] = []
        """What was claimed from others, oldest first; a later one may be a part of an earlier one."""

    @property
    def home(self) -> InstanceRange:
        """Return the range in which claims are announced."""
        return self._ranges[0]

    def take_over(self, digest: Callable[[InstanceRange, list[JobEvent]], _T]) -> Iterator[_T]:
        """Take over every range that is not finished, and yield what *digest* makes of the events of each.

        *digest* is called in several threads, so that the events of a few ranges are in memory at a time.
        Raises RangeLost where a later launch has begun.
        """
        # Where claims are announced, an earlier launch must announce no other, also if its share is done.
        return self._take_over(self._ranges, digest, always=self.home if self._may_claim else None)

    def take_over_claimed(
        self, announced: Iterable[ClaimAnnounced], digest: Callable[[InstanceRange, list[JobEvent]], _T]
    ) -> Iterator[_T]:
        """Do the same with what earlier launches have *announced* that they claim, as far as they got it."""

        def is_to_do(claim: ClaimAnnounced) -> bool:
            claimed = self.home.part(claim.first, claim.last)
            known = self._block_log.read(claimed)
            if not unfinished(claimed, [event for block in known for event in block.readable_events()]):
                return False
            return self._settle(claim)

        claims = list(announced)
        with ThreadPoolExecutor(_READERS) as pool:
            to_do = pool.map(lambda claim: self._working_time.try_until_over(lambda: is_to_do(claim)), claims)
            self.claimed += [
                self.home.part(claim.first, claim.last)
                for claim, is_left in zip(claims, to_do, strict=True)
                if is_left
            ]
        return self._take_over(self.claimed, digest)

    def _take_over(
        self,
        ranges: Sequence[InstanceRange],
        digest: Callable[[InstanceRange, list[JobEvent]], _T],
        always: InstanceRange | None = None,
    ) -> Iterator[_T]:
        def take(instances: InstanceRange) -> _T:
            self._owned[instances], blocks = self._working_time.try_until_over(
                lambda: self._block_log.run(
                    take_over(instances, self._owner, self._is_later, always=instances == always)
                )
            )
            return digest(instances, [event for block in blocks for event in block.readable_events()])

        with ThreadPoolExecutor(max(1, min(_READERS, len(ranges)))) as pool:
            yield from pool.map(take, ranges)

    def claim(self, announced: ClaimAnnounced) -> InstanceRange | None:
        """Make the claim that is *announced* in the log, and return its range; None where it is too late."""
        if not self._settle(announced):
            return None
        claimed = self.home.part(announced.first, announced.last)
        self.claimed.append(claimed)
        return claimed

    def find(self, index: int) -> InstanceRange:
        """Return the range of instance *index*."""
        for instances in reversed(self.claimed):
            if instances.first <= index <= instances.last:
                return instances
        return self._ranges[index // PARTITION_SIZE - self.home.first // PARTITION_SIZE]

    def is_gone(self, index: int) -> bool:
        """Tell whether another container has taken instance *index*, as far as this one has found."""
        owned = self._owned.get(self.find(index))
        return owned is not None and owned.is_gone(index)

    def has(self, index: int) -> bool:
        """Tell whether instance *index* belongs to this container, as far as it has found."""
        is_own = self.home.first <= index <= self._ranges[-1].last
        was_claimed = any(part.first <= index <= part.last for part in self.claimed)
        return (is_own or was_claimed) and not self.is_gone(index)

    def owns(self, instances: InstanceRange) -> bool:
        """Tell whether a range is one of the share, or was claimed."""
        return instances in self._ranges or instances in self.claimed

    def next_sequence(self, index: int) -> int:
        """Return the number of the next block of the range of instance *index*."""
        owned = self._owned.get(self.find(index))
        return owned.next_sequence if owned else 0

    def is_last(self, index: int) -> bool:
        """Tell whether no instance is left after *index*, as far as this launch has found."""
        instances = self.find(index)
        has_successor = index < instances.last and not self.is_gone(index + 1)
        return not has_successor and instances in {self._ranges[-1], *self.claimed[-1:]}

    def may_be_claimed(self, index: int, seconds: float, mean: float) -> bool:
        """Tell whether others may have claimed instance *index* in the *seconds* since the last append.

        *mean* is what an instance takes. Two claims may have come, one after the other.
        """
        instances = self.find(index)
        if not self._may_claim or index == instances.first:
            return False
        reached = self._reached.get(instances)
        if reached is None or seconds > APPEND_SECONDS:
            return True
        return index > reached + count_surely_left(instances.last - reached, seconds / mean if mean else 0.0)

    def append(self, instances: InstanceRange, events: Sequence[EncodedEvent]) -> None:
        """Append *events* to a range, in as many blocks as they need, but none of an instance that is gone.

        Raises RangeLost, also for every further append.
        """
        owned = self._owned.get(instances)
        if owned is None:
            owned = self._owned[instances] = begin(instances, self._owner)
        while events := [event for event in events if event.is_of_share or not owned.is_gone(event.instance)]:
            body, count = fill_body([event.content for event in events])
            if self._block_log.run(owned.append(body)):
                reached = max(event.instance for event in events[:count])
                self._reached[instances] = max(reached, self._reached.get(instances, reached))
                events = events[count:]

    def _settle(self, announced: ClaimAnnounced) -> bool:
        # No launch of the other share must take the number of this launch for one of its own.
        return self._block_log.run(settle(self.home, announced, f"{_CLAIMER} {self._owner}"))

    def _is_later(self, block: Block) -> bool:
        kind, _, rest = block.owner.partition(" ")
        number, _, _ = rest.partition(" ")
        return kind == _OWNER and number.isdecimal() and int(number) > self._launch
