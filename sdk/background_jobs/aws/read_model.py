"""The read model in DynamoDB: one summary, chunks of statuses and a feed per orchestration."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from background_jobs.aws.clients import reaching_aws
from background_jobs.aws.history import index_entry
from background_jobs.aws.transactions import (
    CONDITION_FAILED,
    MAX_ATTEMPTS,
    RETRYABLE,
    TRANSACTION_CONFLICT,
    cancellation_reasons,
    wait_before_retry,
)
from background_jobs.core.errors import BackgroundJobsError
from background_jobs.core.fold import ChunkNumbers, FoldResult
from background_jobs.core.progress import ProgressChunk
from background_jobs.core.read_model import Advance, FeedItem, ReadModel, Summary, Transition
from background_jobs.core.retention import Retention
from background_jobs.core.statuses import CHUNKS, StatusChunk
from background_jobs.core.tables import EXPIRES_AT, PARTITION_KEY, SORT_KEY

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CHUNKS_PER_COMMIT: Final = 90
"""Chunks that fit into one transaction of 100 items beside the summary and the feed."""

_SUMMARY: Final = "summary"


class ReadModelConflict(BackgroundJobsError):
    """Another aggregator committed first; read again and fold again."""

    def __init__(self) -> None:
        super().__init__("The read model was changed at the same moment. Try again.")


class ReadModelStore:
    """What the aggregator derives from the log; it can be thrown away and rebuilt."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str, retention: Retention) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._retention = retention

    @reaching_aws
    def read_summary(self, orchestration_id: str) -> Summary:
        """Return the summary; that of version 0 if nothing was folded yet."""
        response = self._dynamodb.get_item(
            TableName=self._table, Key=_key(orchestration_id, _SUMMARY), ConsistentRead=True
        )
        return _summary(orchestration_id, response.get("Item"))

    @reaching_aws
    def read_chunks(self, orchestration_id: str, chunk_numbers: ChunkNumbers) -> ReadModel:
        """Return the summary and the chunks with these numbers, as of one moment."""
        numbers, advancing = sorted(chunk_numbers.statuses), sorted(chunk_numbers.progress)
        sorts = [_SUMMARY, *map(_chunk_sort, numbers), *map(_progress_sort, advancing)]
        summary, *stored = self._get_at_once(orchestration_id, sorts)
        return ReadModel(
            _summary(orchestration_id, summary),
            {
                number: StatusChunk.unpacked(item["ranks"]["B"]) if item else StatusChunk()
                for number, item in zip(numbers, stored[: len(numbers)], strict=True)
            },
            {
                number: ProgressChunk.unpacked(item["progress"]["B"]) if item else ProgressChunk()
                for number, item in zip(advancing, stored[len(numbers) :], strict=True)
            },
        )

    def _get_at_once(self, orchestration_id: str, sorts: list[str]) -> list[Mapping[str, Any] | None]:
        gets: Any = [
            {"Get": {"TableName": self._table, "Key": _key(orchestration_id, sort)}} for sort in sorts
        ]
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
        """Return the summary and all chunks, as of the summary's version.

        Beyond 90 chunks (157,500 instances) they are read in portions, and later portions may be newer.
        """
        summary = self.read_summary(orchestration_id)
        numbers = range(CHUNKS.count(summary.total or 0))
        size = CHUNKS_PER_COMMIT // 2
        portions = [frozenset(numbers[first : first + size]) for first in range(0, len(numbers), size)]
        models = [
            self.read_chunks(
                orchestration_id, ChunkNumbers(portion, portion if summary.tells_progress else frozenset())
            )
            for portion in portions
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
        model = result.model
        before = model.summary
        summary = before.model_copy(update={"version": before.version + 1})
        expires_at = {"N": str(int((now + self._retention.of(summary.service)).timestamp()))}
        orchestration_id = summary.orchestration_id
        puts: list[Any] = [
            {
                "Item": {
                    **_key(orchestration_id, _SUMMARY),
                    **index_entry(summary),
                    "version": {"N": str(summary.version)},
                    "document": {"S": summary.model_dump_json(exclude_none=True)},
                },
                "ConditionExpression": f"attribute_not_exists({PARTITION_KEY}) OR version = :version",
                "ExpressionAttributeValues": {":version": {"N": str(before.version)}},
            },
            {
                "Item": {
                    **_key(_feed(orchestration_id), f"{summary.version:08d}"),
                    "document": {"S": _encode(summary, result)},
                },
            },
            *(
                {"Item": {**_key(orchestration_id, _chunk_sort(n)), "ranks": {"B": chunk.packed()}}}
                for n, chunk in model.chunks.items()
            ),
            *(
                {"Item": {**_key(orchestration_id, _progress_sort(n)), "progress": {"B": chunk.packed()}}}
                for n, chunk in model.progress.items()
            ),
        ]
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
        """Yield the changes of each version above *after*, oldest first."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=f"{PARTITION_KEY} = :feed AND {SORT_KEY} > :after",
            ExpressionAttributeValues={
                ":feed": {"S": _feed(orchestration_id)},
                ":after": {"S": f"{after:08d}"},
            },
            ConsistentRead=True,
        )
        for page in pages:
            for item in page["Items"]:
                yield _decode(int(item[SORT_KEY]["S"]), item["document"]["S"])


def _key(partition: str, sort: str) -> dict[str, Any]:
    return {PARTITION_KEY: {"S": partition}, SORT_KEY: {"S": sort}}


def _feed(orchestration_id: str) -> str:
    return f"{orchestration_id}#feed"


def _chunk_sort(number: int) -> str:
    return f"statuses#{number:05d}"


def _progress_sort(number: int) -> str:
    return f"progress#{number:05d}"


def _summary(orchestration_id: str, item: Mapping[str, Any] | None) -> Summary:
    if item is None:
        return Summary(orchestration_id=orchestration_id)
    return Summary.model_validate_json(item["document"]["S"])


def _encode(summary: Summary, result: FoldResult) -> str:
    document: dict[str, Any] = {
        "counts": [summary.running, summary.completed, summary.errored],
        "transitions": [[t.index, t.rank, _milliseconds(t.at)] for t in result.transitions],
        "advances": [
            [a.index, a.attempt, a.percent, a.message, _milliseconds(a.at)] for a in result.advances
        ],
    }
    if summary.cancelled_at:
        document["cancelled_at"] = _milliseconds(summary.cancelled_at)
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _decode(version: int, data: str) -> FeedItem:
    document = json.loads(data)
    running, completed, errored = document["counts"]
    return FeedItem(
        version,
        running,
        completed,
        errored,
        tuple(Transition(index, rank, _moment(at)) for index, rank, at in document["transitions"]),
        tuple(
            Advance(index, attempt, percent, message, _moment(at))
            for index, attempt, percent, message, at in document["advances"]
        ),
        _moment(document["cancelled_at"]) if "cancelled_at" in document else None,
    )


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
