"""The read model in DynamoDB: one summary, chunks of statuses and a feed per orchestration."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from background_jobs.aws.clients import reaching_aws
from background_jobs.core.fold import Folded, ReadModel, Summary, Transition
from background_jobs.core.statuses import StatusChunk

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CHUNKS_PER_COMMIT: Final = 90
"""Chunks that fit into one transaction of 100 items beside the summary and the feed."""

_SUMMARY: Final = "summary"


class ReadModelConflict(Exception):
    """Another aggregator committed first; read again and fold again."""


class ReadModelStore:
    """What the aggregator derives from the log; it can be thrown away and rebuilt."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str, retention: timedelta) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._retention = retention

    @reaching_aws
    def summary(self, orchestration_id: str) -> Summary:
        """Return the summary; that of version 0 if nothing was folded yet."""
        found = self._dynamodb.get_item(
            TableName=self._table, Key=_key(orchestration_id, _SUMMARY), ConsistentRead=True
        )
        return _summary(orchestration_id, found.get("Item"))

    @reaching_aws
    def load(self, orchestration_id: str, chunks: Iterable[int]) -> ReadModel:
        """Return the summary and the chunks with these numbers, as of one moment."""
        numbers = sorted(chunks)
        sorts = [_SUMMARY, *map(_chunk_sort, numbers)]
        found = self._dynamodb.transact_get_items(
            TransactItems=[
                {"Get": {"TableName": self._table, "Key": _key(orchestration_id, sort)}} for sort in sorts
            ]
        )
        summary, *stored = [response.get("Item") for response in found["Responses"]]
        return ReadModel(
            _summary(orchestration_id, summary),
            {
                number: StatusChunk.unpacked(item["ranks"]["B"]) if item else StatusChunk()
                for number, item in zip(numbers, stored, strict=True)
            },
        )

    @reaching_aws
    def commit(self, folded: Folded, now: datetime) -> Summary:
        """Store what was folded, one version on, in one transaction. Raises ReadModelConflict."""
        before = folded.model.summary
        summary = before.model_copy(update={"version": before.version + 1})
        expires_at = {"N": str(int((now + self._retention).timestamp()))}
        puts: list[Any] = [
            {
                "Item": {
                    **_key(summary.orchestration_id, _SUMMARY),
                    "version": {"N": str(summary.version)},
                    "document": {"S": summary.model_dump_json(exclude_none=True)},
                },
                "ConditionExpression": "attribute_not_exists(pk) OR version = :version",
                "ExpressionAttributeValues": {":version": {"N": str(before.version)}},
            },
            {
                "Item": {
                    **_key(_feed(summary.orchestration_id), f"{summary.version:08d}"),
                    "document": {"S": _encoded(folded.transitions)},
                },
            },
            *(
                {
                    "Item": {
                        **_key(summary.orchestration_id, _chunk_sort(number)),
                        "ranks": {"B": chunk.packed()},
                    }
                }
                for number, chunk in folded.model.chunks.items()
            ),
        ]
        for put in puts:
            put["TableName"] = self._table
            put["Item"]["expires_at"] = expires_at
        try:
            self._dynamodb.transact_write_items(TransactItems=[{"Put": put} for put in puts])
        except self._dynamodb.exceptions.TransactionCanceledException as cancelled:
            raise ReadModelConflict from cancelled
        return summary

    @reaching_aws
    def feed(self, orchestration_id: str, after: int) -> Iterator[tuple[int, list[Transition]]]:
        """Yield each version above *after* with the transitions that it brought, oldest first."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :feed AND sk > :after",
            ExpressionAttributeValues={
                ":feed": {"S": _feed(orchestration_id)},
                ":after": {"S": f"{after:08d}"},
            },
            ConsistentRead=True,
        )
        for page in pages:
            for item in page["Items"]:
                yield int(item["sk"]["S"]), _decoded(item["document"]["S"])


def _key(partition: str, sort: str) -> dict[str, Any]:
    return {"pk": {"S": partition}, "sk": {"S": sort}}


def _feed(orchestration_id: str) -> str:
    return f"{orchestration_id}#feed"


def _chunk_sort(number: int) -> str:
    return f"statuses#{number:05d}"


def _summary(orchestration_id: str, item: Mapping[str, Any] | None) -> Summary:
    if item is None:
        return Summary(orchestration_id=orchestration_id)
    return Summary.model_validate_json(item["document"]["S"])


def _encoded(transitions: Iterable[Transition]) -> str:
    rows = [[t.index, t.rank, round(t.at.timestamp() * 1000)] for t in transitions]
    return json.dumps(rows, separators=(",", ":"))


def _decoded(data: str) -> list[Transition]:
    return [
        Transition(index, rank, datetime.fromtimestamp(at / 1000, UTC))
        for index, rank, at in json.loads(data)
    ]
