"""Reading the log of an orchestration as it is stored, and finding what nobody may have done to it.

The stream tells of a replaced or removed item once. What is found here can be found at any time.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from background_jobs.aws.log_items import is_block, read_item
from background_jobs.aws.stores import Stores
from background_jobs.core.blocks import InstanceRange, InvalidBlock, range_from_key, ranges_of_orchestration
from background_jobs.core.events import (
    Event,
    EventKey,
    InstancesClaimed,
    JobCompleted,
    JobErrored,
    LaterEvent,
    OrchestrationStarted,
    job_partitions,
    log_partition,
)
from background_jobs.core.tables import PARTITION_KEY, SORT_KEY


class LogCheck:
    """Reads every event of an orchestration, and notes the faults of the items that hold them."""

    def __init__(self, started: OrchestrationStarted, stores: Stores) -> None:
        self.faults: list[str] = []
        """What is wrong with the part of the log that was read."""
        self.later: list[LaterEvent] = []
        """The events in it that a later release wrote."""
        self._started = started
        self._stores = stores

    def events(self) -> Iterator[Event]:
        """Yield all events that can be read, one partition after the other."""
        service, orchestration_id, total = (
            self._started.service,
            self._started.orchestration_id,
            self._started.total,
        )
        ranges = set(
            ranges_of_orchestration(service, orchestration_id, total, self._started.parallelism)
            if total
            else ()
        )
        partitions = [
            log_partition(service, orchestration_id),
            *job_partitions(service, orchestration_id, 0, total - 1),
        ]
        for items in self._stores.block_log.read_items(partitions):
            partition = _PartitionCheck(ranges, self.faults, self.later)
            for item in items:
                yield from partition.read(item)
            partition.check()


class _PartitionCheck:
    """The items of one partition."""

    def __init__(self, ranges: Iterable[InstanceRange], faults: list[str], later: list[LaterEvent]) -> None:
        self._ranges = set(ranges)
        self._faults = faults
        self._later = later
        self._numbers: dict[InstanceRange, list[int]] = {}
        self._outcomes: dict[int, str] = {}
        """For each instance, where its outcome is."""

    def read(self, item: Mapping[str, Any]) -> Iterator[Event]:
        """Yield the events of an item, and note what is wrong with it."""
        key = EventKey(item[PARTITION_KEY]["S"], item[SORT_KEY]["S"])
        if is_block(item):
            self._note_place(key)
        contents = read_item(item)
        self._faults.extend(
            f"log: {key.sort} in {key.partition} cannot be read: {fault}"
            for fault in contents.faults
            if not fault.later
        )
        self._later += contents.later
        for event in contents.events:
            if isinstance(event, JobCompleted | JobErrored):
                self._note_outcome(event.index, key)
            elif isinstance(event, InstancesClaimed):
                # A part of a range comes after it in the order of places, so this is known in time.
                part, _ = range_from_key(key)
                self._ranges.add(part.part(event.index, event.last))
            yield event

    def check(self) -> None:
        """Note what is wrong with the partition as a whole."""
        for part, numbers in self._numbers.items():
            missing = sorted(set(range(max(numbers))).difference(numbers))
            self._faults.extend(
                f"log: block {number} of instances {part.first} to {part.last} is missing"
                for number in missing
            )

    def _note_place(self, key: EventKey) -> None:
        try:
            part, number = range_from_key(key)
        except InvalidBlock:  # reading it says so
            return
        self._numbers.setdefault(part, []).append(number)
        if part not in self._ranges:
            self._faults.append(f"log: {key.sort} in {key.partition} is of a range that no container has")

    def _note_outcome(self, index: int, key: EventKey) -> None:
        first = self._outcomes.setdefault(index, key.sort)
        if first != key.sort:
            self._faults.append(f"log: instance {index} has two outcomes, in {first} and in {key.sort}")
