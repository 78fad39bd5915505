"""The blocks of job instances in DynamoDB: appends where a place is free, and reads by range."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from background_jobs.aws.block_items import block_in_place, item_of_block
from background_jobs.aws.clients import reaching_aws
from background_jobs.aws.log_items import KEY_IS_FREE
from background_jobs.aws.thread_pool import ThreadPool
from background_jobs.aws.throttling import outlast_throttling
from background_jobs.aws.transactions import CONDITION_FAILED, cancellation_reasons
from background_jobs.core.blocks import BLOCK_SORT, Block, InstanceRange, InvalidBlock
from background_jobs.core.events import LOG_PARTITIONS, EventKey, JobEvent, job_partition
from background_jobs.core.limits import TRANSACTION_ITEMS
from background_jobs.core.ownership import AppendBlock, ReadBlocks, Steps
from background_jobs.core.ranges import InclusiveRange
from background_jobs.core.retention import Retention
from background_jobs.core.tables import PARTITION_KEY, SORT_KEY

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_S = TypeVar("_S")
_T = TypeVar("_T")
_READERS: Final = 8
_TRANSACTION_BYTES: Final = 3_500_000


def _never() -> bool:
    return False


class BlockLog:
    """The part of the event log that tells of job instances; nothing here can update or delete.

    What is throttled is tried again until *is_over* says that there is no more time. Without *is_over*,
    reads are not tried again, because who reads has a timeout of its own.
    """

    def __init__(
        self,
        dynamodb: "DynamoDBClient",
        table: str,
        retention: Retention,
        clock: Callable[[], float] = time.time,
        is_over: Callable[[], bool] | None = None,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._retention = retention
        self._clock = clock
        self._reads_outlast_throttling = is_over is not None
        self._is_over = is_over or _never

    def until(self, is_over: Callable[[], bool]) -> Self:
        """Return the same log, where throttling is waited out until *is_over* says that time is up."""
        return type(self)(self._dynamodb, self._table, self._retention, self._clock, is_over)

    def run(self, steps: Steps[_T]) -> _T:
        """Carry *steps* out, one call of AWS for each, and return their result."""
        answer: Any = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as end:
                result: _T = end.value
                return result
            answer = self.append(step.block) if isinstance(step, AppendBlock) else self.read(*step)

    def run_all(self, protocols: Iterable[Steps[_T]]) -> Iterator[_T]:
        """Carry out many protocols of different ranges, and yield their results in order.

        Reads of one partition share a query, and appends a transaction of up to 100: ten thousand ranges are
        closed with some hundred calls.
        """
        remaining = iter(protocols)
        while window := list(islice(remaining, TRANSACTION_ITEMS)):
            yield from _Window(self, window).run()

    @reaching_aws
    def append(self, block: Block) -> Block | None:
        """Append *block* if its place is free; return the block that holds the place, or None."""
        put: Any = self._put(block)["Put"]
        try:
            outlast_throttling(partial(self._dynamodb.put_item, **put), self._is_over)
        except self._dynamodb.exceptions.ConditionalCheckFailedException as taken:
            holder: Any = taken.response
            return block_in_place(holder["Item"])
        return None

    @reaching_aws
    def append_all(self, blocks: Sequence[Block]) -> list[Block | None]:
        """Append up to 100 blocks where their places are free; return what holds each place, or None."""
        holders: dict[EventKey, Block] = {}
        left = list(blocks)
        while left:
            puts: Any = [self._put(block) for block in left]
            try:
                outlast_throttling(
                    partial(self._dynamodb.transact_write_items, TransactItems=puts), self._is_over
                )
            except self._dynamodb.exceptions.TransactionCanceledException as cancelled:
                if CONDITION_FAILED not in cancellation_reasons(cancelled):
                    raise
                reasons: Any = cancelled.response.get("CancellationReasons", [])
                for block, reason in zip(left, reasons, strict=True):
                    if reason.get("Code") == CONDITION_FAILED:
                        holders[block.key] = block_in_place(reason["Item"])
                left = [block for block in left if block.key not in holders]
            else:
                break
        return [holders.get(block.key) for block in blocks]

    def read(self, instances: InstanceRange, from_sequence: int = 0) -> list[Block]:
        """Return the blocks of a range from a number on, in order."""
        low = instances.key(from_sequence)
        return self._query(low.partition, low.sort, f"{instances.prefix}~")

    def read_with_claimed(self, instances: InstanceRange) -> list[Block]:
        """Return the blocks of a range, and those of the ranges that were claimed from it, in one query."""
        low, high = (f"{BLOCK_SORT}{index:08d}" for index in (instances.first, instances.last))
        return self._query(instances.partition, low, f"{high}~")

    def read_together(self, reads: Sequence[ReadBlocks]) -> list[list[Block]]:
        """Return the answers to *reads*, which may come in any order, with one query for each partition."""
        found: dict[InstanceRange, list[Block]] = {}
        in_order = sorted(reads, key=lambda read: (read.range.partition, read.range.prefix))
        for partition, group in groupby(in_order, lambda read: read.range.partition):
            together = list(group)
            if len(together) == 1:
                found[together[0].range] = self.read(*together[0])
                continue
            low, high = (together[place].range.prefix for place in (0, -1))
            for block in self._query(partition, low, f"{high}~"):
                found.setdefault(block.range, []).append(block)
        return [
            [block for block in found.get(read.range, []) if block.sequence >= read.from_sequence]
            for read in reads
        ]

    def read_events(self, service: str, orchestration_id: str, first: int, last: int) -> Iterator[JobEvent]:
        """Yield everything that happened to the instances *first* to *last*, one partition after the other.

        Within a range the events come as they were appended. A few partitions are in memory at a time.
        """
        parts = LOG_PARTITIONS.split(InclusiveRange(first, last)) if first <= last else ()
        pieces = (part.numbers() for part in parts)
        for piece, blocks in self.read_pieces(service, orchestration_id, pieces):
            for block in blocks:
                yield from (event for event in block.readable_events() if event.index in piece)

    def read_pieces(
        self, service: str, orchestration_id: str, pieces: Iterable[Sequence[int]]
    ) -> Iterator[tuple[Sequence[int], list[Block]]]:
        """Yield each of *pieces* with the blocks that may tell of it; each is of instances of one partition.

        A few pieces are read ahead of the consumer, at the same time, so a few are in memory.
        """

        def read(piece: Sequence[int]) -> tuple[Sequence[int], list[Block]]:
            partition = job_partition(service, orchestration_id, piece[0])
            # A range begins in the partition of its instances, so what sorts beyond the last matters to none.
            blocks = self._query(partition, BLOCK_SORT, f"{BLOCK_SORT}{piece[-1]:08d}~")
            return piece, [block for block in blocks if block.range.last >= piece[0]]

        return self._ahead(pieces, read)

    def read_items(self, partitions: Iterable[str]) -> Iterator[list[Mapping[str, Any]]]:
        """Yield all items of each partition as they are stored, whatever they are; a few partitions ahead."""
        return self._ahead(partitions, lambda partition: list(self._items(partition, " ", "~")))

    @staticmethod
    def _ahead(parts: Iterable[_S], read: Callable[[_S], _T]) -> Iterator[_T]:
        """Yield what *read* returns for each of *parts*, reading a few ahead of the consumer."""
        remaining = iter(parts)
        ahead = list(islice(remaining, _READERS))
        if len(ahead) <= 1:
            yield from map(read, ahead)
            return
        with ThreadPool(_READERS) as pool:
            reading = deque(pool.submit(read, part) for part in ahead)
            while reading:
                answer = reading.popleft().result()
                reading.extend(pool.submit(read, part) for part in islice(remaining, 1))
                yield answer

    @reaching_aws
    def _query(self, partition: str, low: str, high: str) -> list[Block]:
        def read() -> list[Mapping[str, Any]]:
            return list(self._items(partition, low, high))

        blocks: list[Block] = []
        for item in outlast_throttling(read, self._is_over) if self._reads_outlast_throttling else read():
            with suppress(InvalidBlock):  # it is in no place where a block can be
                blocks.append(block_in_place(item))
        return blocks

    def _items(self, partition: str, low: str, high: str) -> Iterator[Mapping[str, Any]]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=f"{PARTITION_KEY} = :partition AND {SORT_KEY} BETWEEN :low AND :high",
            ExpressionAttributeValues={
                ":partition": {"S": partition},
                ":low": {"S": low},
                ":high": {"S": high},
            },
            ConsistentRead=True,
        )
        for page in pages:
            yield from page["Items"]

    def _put(self, block: Block) -> dict[str, Any]:
        expires_at = self._clock() + self._retention.of(block.range.service).total_seconds()
        return {
            "Put": {
                "TableName": self._table,
                "Item": item_of_block(block, expires_at),
                "ConditionExpression": KEY_IS_FREE,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }


class _Window:
    """Some protocols that are carried out in step."""

    def __init__(self, log: BlockLog, protocols: "Sequence[Steps[_T]]") -> None:
        self._log = log
        self._protocols = protocols
        self._results: dict[int, Any] = {}
        self._steps: dict[int, ReadBlocks | AppendBlock] = {}

    def run(self) -> Iterator[Any]:
        for number in range(len(self._protocols)):
            self._send(number, None)
        while self._steps:
            for number, answer in self._answers().items():
                self._send(number, answer)
        return (self._results[number] for number in range(len(self._protocols)))

    def _send(self, number: int, answer: object) -> None:
        try:
            self._steps[number] = self._protocols[number].send(answer)
        except StopIteration as end:
            self._results[number] = end.value

    def _answers(self) -> dict[int, Any]:
        reads = {number: step for number, step in self._steps.items() if isinstance(step, ReadBlocks)}
        appends = {number: step for number, step in self._steps.items() if isinstance(step, AppendBlock)}
        self._steps = {}
        answers: dict[int, Any] = dict(zip(reads, self._log.read_together(list(reads.values())), strict=True))
        for portion in _portions(appends):
            holders = self._log.append_all([appends[number].block for number in portion])
            answers |= zip(portion, holders, strict=True)
        return answers


def _portions(appends: Mapping[int, AppendBlock]) -> Iterator[list[int]]:
    """Cut *appends* into transactions."""
    portion: list[int] = []
    size = 0
    for number, append in appends.items():
        length = len(append.block.body)
        if portion and size + length > _TRANSACTION_BYTES:
            yield portion
            portion, size = [], 0
        portion.append(number)
        size += length
    if portion:
        yield portion
