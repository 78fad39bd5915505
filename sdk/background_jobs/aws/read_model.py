"""The read model in DynamoDB: the summary, the chunks and the feed of an orchestration."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Self

from background_jobs.aws.clients import reaching_aws
from background_jobs.aws.history import index_entry
from background_jobs.aws.service_lookup import ServiceLookup
from background_jobs.aws.transactions import (
    CONDITION_FAILED,
    MAX_ATTEMPTS,
    RETRYABLE,
    TRANSACTION_CONFLICT,
    cancellation_reasons,
    wait_before_retry,
)
from background_jobs.core.errors import BackgroundJobsError
from background_jobs.core.feed import pack_feed_item, unpack_feed_item
from background_jobs.core.fold import ChunkNumbers, FoldResult
from background_jobs.core.progress import ProgressChunk
from background_jobs.core.read_model import FeedItem, ReadModel, Summary
from background_jobs.core.read_model_keys import (
    ReadModelKey,
    feed_key,
    feed_partition,
    feed_sort,
    progress_key,
    statuses_key,
    summary_key,
)
from background_jobs.core.retention import Retention
from background_jobs.core.statuses import CHUNKS, StatusChunk
from background_jobs.core.tables import EXPIRES_AT, PARTITION_KEY, SORT_KEY

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CHUNKS_PER_COMMIT: Final = 20
"""Chunks that fit into the 4 MB of one transaction, however badly they pack."""


class ReadModelConflict(BackgroundJobsError):
    """Another aggregator committed first; read again and fold again."""

    def __init__(self) -> None:
        super().__init__("The read model was changed at the same moment. Try again.")


class ReadModelStore:
    """What the aggregator derives from the log; it can be thrown away and rebuilt."""

    def __init__(
        self,
        dynamodb: "DynamoDBClient",
        table: str,
        retention: Retention,
        lookup: ServiceLookup,
        service: str | None = None,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._retention = retention
        self._lookup = lookup
        self._service = service

    def for_service(self, service: str) -> Self:
        """Return the same store for the orchestrations of *service*, which need no lookup then."""
        return type(self)(self._dynamodb, self._table, self._retention, self._lookup, service)

    @reaching_aws
    def read_summary(self, orchestration_id: str) -> Summary:
        """Return the summary; that of version 0 if nothing was folded yet. Raises OrchestrationNotFound."""
        service = self._find_service(orchestration_id)
        response = self._dynamodb.get_item(
            TableName=self._table, Key=_key(summary_key(service, orchestration_id)), ConsistentRead=True
        )
        return _summary(service, orchestration_id, response.get("Item"))

    @reaching_aws
    def read_chunks(self, orchestration_id: str, chunk_numbers: ChunkNumbers) -> ReadModel:
        """Return the summary and the chunks with these numbers, as of one moment.

        Raises OrchestrationNotFound.
        """
        place = self._find_service(orchestration_id), orchestration_id
        numbers, advancing = sorted(chunk_numbers.statuses), sorted(chunk_numbers.progress)
        summary, *stored = self._get_at_once(
            [
                summary_key(*place),
                *(statuses_key(*place, number) for number in numbers),
                *(progress_key(*place, number) for number in advancing),
            ]
        )
        return ReadModel(
            _summary(*place, summary),
            {
                number: StatusChunk.unpacked(item["ranks"]["B"]) if item else StatusChunk()
                for number, item in zip(numbers, stored[: len(numbers)], strict=True)
            },
            {
                number: ProgressChunk.unpacked(item["progress"]["B"]) if item else ProgressChunk()
                for number, item in zip(advancing, stored[len(numbers) :], strict=True)
            },
        )

    def _get_at_once(self, keys: list[ReadModelKey]) -> list[Mapping[str, Any] | None]:
        gets: Any = [{"Get": {"TableName": self._table, "Key": _key(key)}} for key in keys]
        attempt = 0
        while True:
            try:
                responses = self._dynamodb.transact_get_items(TransactItems=gets)
            except self._dynamodb.exceptions.TransactionCanceledException as cancelled:
                # The aggregator may be committing at this moment.
                if attempt == MAX_ATTEMPTS or not RETRYABLE.intersection(cancellation_reasons(cancelled)):
                    raise
                wait_before_retry(attempt)
                attempt += 1
            else:
                return [response.get("Item") for response in responses["Responses"]]

    def read_snapshot(self, orchestration_id: str) -> ReadModel:
        """Return the summary and all chunks, as of the summary's version. Raises OrchestrationNotFound.

        Beyond 20 chunks (five million instances) they are read in portions, and later portions may be newer.
        """
        summary = self.read_summary(orchestration_id)
        models = [
            self.read_chunks(orchestration_id, portion)
            for portion in portions_of_chunks(
                range(CHUNKS.count(summary.total or 0)), with_progress=summary.tells_progress
            )
        ]
        if not models:
            return ReadModel(summary)
        return ReadModel(
            models[0].summary,
            {number: chunk for model in models for number, chunk in model.chunks.items()},
            {number: chunk for model in models for number, chunk in model.progress.items()},
        )

    @reaching_aws
    def commit(self, result: FoldResult, now: datetime) -> Summary:
        """Store *result* as the next version, in one transaction. Raises ReadModelConflict."""
        before = result.model.summary
        summary = before.model_copy(update={"version": before.version + 1})
        service = summary.service if self._service is None else self._service
        expires_at = {"N": str(int((now + self._retention.of(service)).timestamp()))}
        puts: list[Any] = [_summary_put(service, summary), *_puts(service, summary, result)]
        for put in puts:
            put["TableName"] = self._table
            put["Item"][EXPIRES_AT] = expires_at
        try:
            self._dynamodb.transact_write_items(TransactItems=[{"Put": put} for put in puts])
        except self._dynamodb.exceptions.TransactionCanceledException as cancelled:
            if {CONDITION_FAILED, TRANSACTION_CONFLICT}.intersection(cancellation_reasons(cancelled)):
                raise ReadModelConflict from cancelled
            raise
        return summary

    @reaching_aws
    def read_feed(self, orchestration_id: str, after: int) -> Iterator[FeedItem]:
        """Yield the changes of each version above *after*, oldest first. Raises OrchestrationNotFound."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=f"{PARTITION_KEY} = :feed AND {SORT_KEY} > :after",
            ExpressionAttributeValues={
                ":feed": {"S": feed_partition(self._find_service(orchestration_id), orchestration_id)},
                ":after": {"S": feed_sort(after)},
            },
            ConsistentRead=True,
        )
        for page in pages:
            for item in page["Items"]:
                yield unpack_feed_item(int(item[SORT_KEY]["S"]), item["changes"]["B"])

    def _find_service(self, orchestration_id: str) -> str:
        return self._lookup.find(orchestration_id) if self._service is None else self._service


def portions_of_chunks(numbers: Iterable[int], *, with_progress: bool) -> Iterator[ChunkNumbers]:
    """Cut chunks, given by their *numbers*, into portions that one transaction can hold."""
    remaining = iter(numbers)
    size = CHUNKS_PER_COMMIT // 2 if with_progress else CHUNKS_PER_COMMIT
    while portion := frozenset(islice(remaining, size)):
        yield ChunkNumbers(portion, portion if with_progress else frozenset())


def _key(key: ReadModelKey) -> dict[str, Any]:
    return {PARTITION_KEY: {"S": key.partition}, SORT_KEY: {"S": key.sort}}


def _summary(service: str, orchestration_id: str, item: Mapping[str, Any] | None) -> Summary:
    if item is None:
        return Summary(orchestration_id=orchestration_id, service=service)
    return Summary.model_validate_json(item["document"]["S"])


def _summary_put(service: str, summary: Summary) -> dict[str, Any]:
    return {
        "Item": {
            **_key(summary_key(service, summary.orchestration_id)),
            **index_entry(summary),
            "version": {"N": str(summary.version)},
            "document": {"S": summary.model_dump_json(exclude_none=True)},
        },
        "ConditionExpression": f"attribute_not_exists({PARTITION_KEY}) OR version = :version",
        "ExpressionAttributeValues": {":version": {"N": str(summary.version - 1)}},
    }


def _puts(service: str, summary: Summary, result: FoldResult) -> Iterator[dict[str, Any]]:
    """Yield the puts of the feed and of the chunks."""
    place, model = (service, summary.orchestration_id), result.model
    changes = pack_feed_item(FeedItem.of_commit(summary, result.transitions, result.advances))
    yield {"Item": {**_key(feed_key(*place, summary.version)), "changes": {"B": changes}}}
    for number, statuses in model.chunks.items():
        yield {"Item": {**_key(statuses_key(*place, number)), "ranks": {"B": statuses.packed()}}}
    for number, progress in model.progress.items():
        yield {"Item": {**_key(progress_key(*place, number)), "progress": {"B": progress.packed()}}}
