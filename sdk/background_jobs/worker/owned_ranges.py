"""The ranges of a share, and the right of one launch to append to them."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar
from uuid import uuid4

from background_jobs.aws.block_log import BlockLog
from background_jobs.core.blocks import Block, InstanceRange
from background_jobs.core.events import PARTITION_SIZE, JobEvent
from background_jobs.core.ownership import Ownership, begin, take_over
from background_jobs.worker.working_time import WorkingTime

_T = TypeVar("_T")
_OWNER: Final = "launch"
_READERS: Final = 8


class OwnedRanges:
    """The ranges of a share as one launch owns them.

    The first launch begins a range without reading it, when it first appends there. A later launch takes all
    ranges over before it appends to any. An append that finds another owner's block in its place raises
    RangeLost; then this launch must end.
    """

    def __init__(
        self, block_log: BlockLog, ranges: Iterable[InstanceRange], launch: int, working_time: WorkingTime
    ) -> None:
        self._block_log = block_log.until(working_time.is_over)
        self._working_time = working_time
        self._ranges = list(ranges)
        self._launch = launch
        self._owner = f"{_OWNER} {launch} {uuid4().hex}"
        self._owned: dict[InstanceRange, Ownership] = {}

    def take_over(self, digest: Callable[[InstanceRange, list[JobEvent]], _T]) -> Iterator[_T]:
        """Take over every range that is not finished, and yield what *digest* makes of the events of each.

        *digest* is called in several threads, so that the events of a few ranges are in memory at a time.
        Raises RangeLost where a later launch has begun.
        """

        def take(instances: InstanceRange) -> _T:
            self._owned[instances], blocks = self._working_time.try_until_over(
                lambda: self._block_log.run(take_over(instances, self._owner, self._is_later))
            )
            return digest(instances, [event for block in blocks for event in block.readable_events()])

        with ThreadPoolExecutor(max(1, min(_READERS, len(self._ranges)))) as pool:
            yield from pool.map(take, self._ranges)

    def find(self, index: int) -> InstanceRange:
        """Return the range of instance *index*."""
        first = self._ranges[0]
        return self._ranges[index // PARTITION_SIZE - first.first // PARTITION_SIZE]

    def append(self, instances: InstanceRange, body: bytes) -> None:
        """Append one block to a range. Raises RangeLost, also for every further append."""
        owned = self._owned.get(instances)
        if owned is None:
            owned = self._owned[instances] = begin(instances, self._owner)
        self._block_log.run(owned.append(body))

    def _is_later(self, block: Block) -> bool:
        kind, _, rest = block.owner.partition(" ")
        number, _, _ = rest.partition(" ")
        return kind == _OWNER and number.isdecimal() and int(number) > self._launch
