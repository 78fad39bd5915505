"""The event log in DynamoDB: appends under the condition that a key is free, and reads by range."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Self

from background_jobs.aws.clients import reaching_aws
from background_jobs.aws.transactions import (
    CONDITION_FAILED,
    MAX_ATTEMPTS,
    RETRYABLE,
    cancellation_reasons,
    wait_before_retry,
)
from background_jobs.core.errors import EventConflict, OrchestrationNotFound
from background_jobs.core.events import (
    LOG_PARTITIONS,
    RERUN,
    ContainerStarted,
    Event,
    EventKey,
    JobAttemptFailed,
    JobCompleted,
    JobErrored,
    JobEvent,
    JobOutcome,
    JobStarted,
    OrchestrationCancelled,
    OrchestrationEvent,
    OrchestrationStarted,
    RerunRequested,
    StageSkipped,
    cancelled_key,
    job_partition,
    parse_event,
    skipped_key,
    started_key,
)
from background_jobs.core.limits import TRANSACTION_ITEMS
from background_jobs.core.ranges import InclusiveRange
from background_jobs.core.retention import Retention
from background_jobs.core.schedules.events import ScheduleEvent, is_schedule_partition
from background_jobs.core.tables import EXPIRES_AT, PARTITION_KEY, SORT_KEY
from background_jobs.core.views.waits import Containers

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

_READERS: Final = 8
KEY_IS_FREE: Final = f"attribute_not_exists({SORT_KEY})"
"""The condition of every append."""
_TRANSACTION_BYTES: Final = 3_500_000
"""DynamoDB allows 4 MB in one transaction; keys and other attributes take part of that."""


class EventLog:
    """The append-only table of events; nothing here can update or delete."""

    def __init__(
        self, dynamodb: "DynamoDBClient", table: str, retention: Retention, service: str = ""
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._retention = retention
        self._service = service

    def for_service(self, service: str) -> Self:
        """Return the same log, where what is appended is kept as long as *service* keeps its events."""
        return type(self)(self._dynamodb, self._table, self._retention, service)

    @reaching_aws
    def append(self, event: Event) -> None:
        """Append *event*; appending the same event twice is harmless.

        Raises EventConflict if another event already holds its key.
        """
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item=to_item(event, self._retention.of(self._service)),
                ConditionExpression=KEY_IS_FREE,
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as taken:
            if self._read(event.key) != event:
                raise EventConflict(*event.key) from taken

    def append_all(self, events: Iterable[Event]) -> None:
        """Append *events* in transactions of up to 100.

        Where another event already holds a key, it stays and ours is dropped: the first outcome counts.
        """
        batch: list[TransactWriteItemTypeDef] = []
        size = 0
        for event in events:
            put, length = self._put(event)
            if batch and (len(batch) == TRANSACTION_ITEMS or size + length > _TRANSACTION_BYTES):
                self._transact(batch)
                batch, size = [], 0
            batch.append(put)
            size += length
        if batch:
            self._transact(batch)

    @reaching_aws
    def _transact(self, puts: "list[TransactWriteItemTypeDef]") -> None:
        for attempt in range(MAX_ATTEMPTS):
            try:
                self._dynamodb.transact_write_items(TransactItems=puts)
            except self._dynamodb.exceptions.TransactionCanceledException as cancelled:
                reasons = cancellation_reasons(cancelled)
                if attempt == MAX_ATTEMPTS - 1 or not {CONDITION_FAILED, *RETRYABLE}.intersection(reasons):
                    raise
                puts = [put for put, reason in zip(puts, reasons, strict=True) if reason != CONDITION_FAILED]
                if not puts:
                    return
                if CONDITION_FAILED not in reasons:
                    wait_before_retry(attempt)
            else:
                return

    def read_started(self, orchestration_id: str) -> OrchestrationStarted:
        """Return the event that made the kick-off real. Raises OrchestrationNotFound."""
        event = self._read(started_key(orchestration_id))
        if not isinstance(event, OrchestrationStarted):
            raise OrchestrationNotFound(orchestration_id)
        return event

    def read_started_and_cancelled(
        self, orchestration_id: str
    ) -> tuple[OrchestrationStarted, OrchestrationCancelled | None]:
        """Return the kick-off, and the cancellation if there is one. Raises OrchestrationNotFound."""
        partition, last = started_key(orchestration_id)
        first = cancelled_key(orchestration_id).sort
        events = [parse_event(document) for document in self._query(partition, first, last, "document")]
        cancellation = next((event for event in events if isinstance(event, OrchestrationCancelled)), None)
        for event in events:
            if isinstance(event, OrchestrationStarted):
                return event, cancellation
        raise OrchestrationNotFound(orchestration_id)

    def read_outcomes(self, orchestration_id: str, first: int, last: int) -> Iterator[JobOutcome]:
        """Yield the outcomes of instances *first* to *last*, in the order of their indices."""
        for document in self._ranges(orchestration_id, "outcome", first, last, "document"):
            event = parse_event(document)
            if isinstance(event, JobCompleted | JobErrored):
                yield event

    def read_starts(self, orchestration_id: str, first: int, last: int) -> Iterator[JobStarted]:
        """Yield the starts of instances *first* to *last*, in the order of their indices and attempts."""
        for document in self._ranges(orchestration_id, "started", first, last, "document"):
            event = parse_event(document)
            if isinstance(event, JobStarted):
                yield event

    def read_failed_attempts(
        self, orchestration_id: str, first: int, last: int
    ) -> Iterator[JobAttemptFailed]:
        """Yield the failed attempts of instances *first* to *last*, in the order of indices and attempts."""
        for document in self._ranges(orchestration_id, "failed", first, last, "document"):
            event = parse_event(document)
            if isinstance(event, JobAttemptFailed):
                yield event

    def read_cancelled(self, orchestration_id: str) -> OrchestrationCancelled | None:
        """Return the cancellation of the orchestration, if somebody asked for one."""
        event = self._read(cancelled_key(orchestration_id))
        return event if isinstance(event, OrchestrationCancelled) else None

    def read_skipped(self, orchestration_id: str) -> StageSkipped | None:
        """Return the event that says why the next stage was not started, if it was skipped."""
        event = self._read(skipped_key(orchestration_id))
        return event if isinstance(event, StageSkipped) else None

    def read_reruns(self, orchestration_id: str) -> list[RerunRequested]:
        """Return the reruns that were requested, oldest first; some may not have started."""
        documents = self._query(orchestration_id, RERUN, f"{RERUN}~", "document")
        requests = [event for event in map(parse_event, documents) if isinstance(event, RerunRequested)]
        return sorted(requests, key=lambda request: request.at)

    def read_all(self, orchestration_id: str, total: int) -> Iterator[Event]:
        """Yield every event of an orchestration of *total* instances."""
        partitions = [
            orchestration_id,
            *(
                job_partition(orchestration_id, LOG_PARTITIONS.index(n))
                for n in range(LOG_PARTITIONS.count(total))
            ),
        ]
        with ThreadPoolExecutor(_READERS) as pool:
            for documents in pool.map(
                lambda partition: self._query(partition, " ", "~", "document"), partitions
            ):
                yield from map(parse_event, documents)

    def read_instance(self, orchestration_id: str, index: int) -> Iterator[JobEvent]:
        """Yield everything that happened to one instance, in no particular order."""
        for kind in ("started", "failed", "progress", "outcome"):
            for document in self._ranges(orchestration_id, kind, index, index, "document"):
                event = parse_event(document)
                if isinstance(event, JobEvent):
                    yield event

    def read_containers(self, orchestration_id: str) -> Containers:
        """Return the launches and ends of containers, and the delays of launches."""
        return Containers.among(
            [parse_event(doc) for doc in self._query(orchestration_id, "container#", "delay#~", "document")]
        )

    def read_launches(self, orchestration_id: str) -> list[ContainerStarted]:
        """Return the launches of all containers, by share and launch."""
        return list(self.read_containers(orchestration_id).started)

    def read_orchestration(self, orchestration_id: str) -> list[OrchestrationEvent]:
        """Return what happened to the orchestration as a whole and to its containers, by time."""
        events = map(parse_event, self._query(orchestration_id, " ", "~", "document"))
        of_orchestration = [event for event in events if isinstance(event, OrchestrationEvent)]
        return sorted(of_orchestration, key=lambda event: event.at)

    def count_failed_attempts(self, orchestration_id: str, total: int) -> int:
        """Return how many attempts failed and were followed by another; only keys are read."""
        return (
            sum(1 for _ in self._ranges(orchestration_id, "failed", 0, total - 1, SORT_KEY)) if total else 0
        )

    def find_unfinished(self, orchestration_id: str, first: int, last: int) -> list[int]:
        """Return the indices from *first* to *last* that have no outcome yet."""
        keys = self._ranges(orchestration_id, "outcome", first, last, SORT_KEY)
        return sorted(set(range(first, last + 1)).difference(int(sort.split("#")[1]) for sort in keys))

    def _ranges(self, orchestration_id: str, kind: str, first: int, last: int, field: str) -> Iterator[str]:
        """Yield *field* of the events of one kind, reading the partitions in parallel."""
        pieces = list(LOG_PARTITIONS.split(InclusiveRange(first, last)))

        def read(piece: InclusiveRange) -> list[str]:
            partition = job_partition(orchestration_id, piece.first)
            # "~" sorts after every "#<attempt>" that may follow the index.
            return self._query(partition, f"{kind}#{piece.first:08d}", f"{kind}#{piece.last:08d}~", field)

        with ThreadPoolExecutor(max(1, min(_READERS, len(pieces)))) as pool:
            for documents in pool.map(read, pieces):
                yield from documents

    @reaching_aws
    def _query(self, partition: str, low: str, high: str, field: str) -> list[str]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=f"{PARTITION_KEY} = :partition AND {SORT_KEY} BETWEEN :low AND :high",
            ExpressionAttributeValues={
                ":partition": {"S": partition},
                ":low": {"S": low},
                ":high": {"S": high},
            },
            ProjectionExpression=field,
            ConsistentRead=True,
        )
        return [item[field]["S"] for page in pages for item in page["Items"]]

    @reaching_aws
    def _read(self, key: EventKey) -> Event | None:
        found = self._dynamodb.get_item(
            TableName=self._table,
            Key={PARTITION_KEY: {"S": key.partition}, SORT_KEY: {"S": key.sort}},
            ConsistentRead=True,
        )
        return parse_event(found["Item"]["document"]["S"]) if "Item" in found else None

    def _put(self, event: Event) -> "tuple[TransactWriteItemTypeDef, int]":
        item = to_item(event, self._retention.of(self._service))
        put: TransactWriteItemTypeDef = {
            "Put": {"TableName": self._table, "Item": item, "ConditionExpression": KEY_IS_FREE}
        }
        return put, len(item["document"]["S"].encode())


def to_item(event: Event | ScheduleEvent, retention: timedelta) -> dict[str, dict[str, str]]:
    """Return the item that holds *event* until *retention* is over, in DynamoDB's JSON."""
    partition, sort = event.key
    return {
        PARTITION_KEY: {"S": partition},
        SORT_KEY: {"S": sort},
        "type": {"S": event.type},
        "document": {"S": event.model_dump_json(exclude_none=True)},
        EXPIRES_AT: {"N": str(int((event.at + retention).timestamp()))},
    }


def event_from_image(image: "dict[str, dict[str, str]]") -> Event:
    """Return the event of an item's stream image, in DynamoDB's JSON.

    Raises KeyError or pydantic.ValidationError if it holds none.
    """
    return parse_event(image["document"]["S"])


def is_schedule_image(image: "dict[str, dict[str, str]]") -> bool:
    """Tell whether an item's stream image is of a schedule's history, and not of an orchestration."""
    return is_schedule_partition(image.get(PARTITION_KEY, {}).get("S", ""))
