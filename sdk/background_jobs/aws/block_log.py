"""The blocks of job instances in DynamoDB: appends where a place is free, and reads by range."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count, groupby, islice
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from background_jobs.aws.clients import reaching_aws
from background_jobs.aws.transactions import (
    CONDITION_FAILED,
    RETRYABLE,
    cancellation_reasons,
    wait_before_retry,
)
from background_jobs.core.blocks import (
    Block,
    InstanceRange,
    InvalidBlock,
    pack,
    range_from_key,
    unpack,
)
from background_jobs.core.events import EventKey, JobEvent, job_partitions
from background_jobs.core.limits import TRANSACTION_ITEMS
from background_jobs.core.ownership import AppendBlock, ReadBlocks, Steps
from background_jobs.core.retention import Retention

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_T = TypeVar("_T")
BLOCK: Final = "Block"
"""The attribute ``type`` of a block's item; events of the orchestration as a whole have their own."""
_FREE: Final = "attribute_not_exists(sk)"
_READERS: Final = 8
_LONGEST_PAUSE: Final = 9
"""The attempt whose pause is the longest: up to 25 s."""
_TRANSACTION_BYTES: Final = 3_500_000
_THROTTLED: Final = frozenset({
    "InternalServerError",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingException",
    "TransactionConflictException",
})  # fmt: skip
"""What passes, however long it takes."""


class BlockLog:
    """The part of the event log that tells of job instances; nothing here can update or delete.

    What is throttled is tried again until *is_over* says that there is no more time.
    """

    def __init__(
        self,
        dynamodb: "DynamoDBClient",
        table: str,
        retention: Retention,
        clock: Callable[[], float] = time.time,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._retention = retention
        self._clock = clock
        self._is_over = is_over

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
        from botocore.exceptions import ClientError  # noqa: PLC0415 -- slow to import, for rare use

        item: Any = self._item(block)
        for attempt in count():
            try:
                self._dynamodb.put_item(
                    TableName=self._table,
                    Item=item,
                    ConditionExpression=_FREE,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except self._dynamodb.exceptions.ConditionalCheckFailedException as taken:
                holder: Any = taken.response
                return block_from_item(holder["Item"])
            except ClientError as error:
                if error.response["Error"].get("Code") not in _THROTTLED or self._is_over():
                    raise
                wait_before_retry(min(attempt, _LONGEST_PAUSE))
            else:
                return None
        raise AssertionError("count() has no end")

    @reaching_aws
    def append_all(self, blocks: Sequence[Block]) -> list[Block | None]:
        """Append up to 100 blocks where their places are free; return what holds each place, or None."""
        holders: dict[EventKey, Block] = {}
        left = list(blocks)
        for attempt in count():
            if not left:
                break
            puts: Any = [
                {
                    "Put": {
                        "TableName": self._table,
                        "Item": self._item(block),
                        "ConditionExpression": _FREE,
                        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                    }
                }
                for block in left
            ]
            try:
                self._dynamodb.transact_write_items(TransactItems=puts)
            except self._dynamodb.exceptions.TransactionCanceledException as cancelled:
                codes = cancellation_reasons(cancelled)
                if not {CONDITION_FAILED, *RETRYABLE}.intersection(codes) or self._is_over():
                    raise
                reasons: Any = cancelled.response.get("CancellationReasons", [])
                for block, reason in zip(left, reasons, strict=True):
                    if reason.get("Code") == CONDITION_FAILED:
                        holders[block.key] = block_from_item(reason["Item"])
                left = [block for block in left if block.key not in holders]
                if CONDITION_FAILED not in codes:
                    wait_before_retry(min(attempt, _LONGEST_PAUSE))
            else:
                break
        return [holders.get(block.key) for block in blocks]

    def read(self, instances: InstanceRange, from_sequence: int = 0) -> list[Block]:
        """Return the blocks of a range from a number on, in order."""
        low = instances.key(from_sequence)
        return self._query(low.partition, low.sort, f"{instances.prefix}~")

    def read_together(self, reads: Sequence[ReadBlocks]) -> list[list[Block]]:
        """Return the answers to *reads*, with one query for those that follow each other in one partition."""
        found: dict[InstanceRange, list[Block]] = {}
        for partition, group in groupby(reads, lambda read: read.range.partition):
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
        for blocks in self.read_partitions(service, orchestration_id, first, last):
            for block in blocks:
                yield from (event for event in block.events() if first <= event.index <= last)

    def read_partitions(
        self, service: str, orchestration_id: str, first: int, last: int
    ) -> Iterator[list[Block]]:
        """Yield the blocks that may tell of the instances *first* to *last*, one partition after the other.

        A few partitions are read ahead of the consumer, so a few are in memory at a time.
        """
        partitions = job_partitions(service, orchestration_id, first, last)
        # A range begins in the partition of its instances, so what sorts beyond *last* matters to none.
        high = f"block#{last:08d}~"
        for blocks in self._ahead(partitions, high):
            yield [block for block in blocks if block.range.last >= first]

    def _ahead(self, partitions: Sequence[str], high: str) -> Iterator[list[Block]]:
        if len(partitions) == 1:
            yield self._query(partitions[0], "block#", high)
            return
        with ThreadPoolExecutor(max(1, min(_READERS, len(partitions)))) as pool:
            remaining = iter(partitions)
            reading: deque[Future[list[Block]]] = deque()
            for partition in islice(remaining, _READERS):
                reading.append(pool.submit(self._query, partition, "block#", high))
            while reading:
                blocks = reading.popleft().result()
                for partition in islice(remaining, 1):
                    reading.append(pool.submit(self._query, partition, "block#", high))
                yield blocks

    @reaching_aws
    def _query(self, partition: str, low: str, high: str) -> list[Block]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :partition AND sk BETWEEN :low AND :high",
            ExpressionAttributeValues={
                ":partition": {"S": partition},
                ":low": {"S": low},
                ":high": {"S": high},
            },
            ConsistentRead=True,
        )
        return [block_from_item(item) for page in pages for item in page["Items"]]

    def _item(self, block: Block) -> dict[str, Any]:
        partition, sort = block.key
        stored = pack(block.body)
        expires_at = int(self._clock() + self._retention.of(block.range.service).total_seconds())
        return {
            "pk": {"S": partition},
            "sk": {"S": sort},
            "type": {"S": BLOCK},
            "fence": {"N": str(block.fence)},
            "owner": {"S": block.owner},
            "events": {"S": stored} if isinstance(stored, str) else {"B": stored},
            "expires_at": {"N": str(expires_at)},
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


def block_from_item(item: Mapping[str, Any]) -> Block:
    """Return the block of an item, or of its stream image, in DynamoDB's JSON. Raises InvalidBlock."""
    try:
        instances, sequence = range_from_key(EventKey(item["pk"]["S"], item["sk"]["S"]))
        ((kind, stored),) = item["events"].items()
        body = unpack(_bytes(stored) if kind == "B" else stored)
        return Block(instances, sequence, int(item["fence"]["N"]), item["owner"]["S"], body)
    except (KeyError, TypeError) as wrong:
        raise InvalidBlock(f"An item is no block: it lacks {wrong}.") from wrong


def _bytes(stored: bytes | str) -> bytes:
    """Return binary content; Lambda's records spell it in base64."""
    if isinstance(stored, bytes):
        return stored
    import base64  # noqa: PLC0415 -- for streams alone

    return base64.b64decode(stored)
