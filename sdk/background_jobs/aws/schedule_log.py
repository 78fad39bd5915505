"""The histories of schedules in the event log's table: appends where a key is free, and reads by range."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from background_jobs.aws.clients import reaching_aws
from background_jobs.aws.log_items import KEY_IS_FREE, holder_of_id, kick_off_puts, to_item
from background_jobs.aws.transactions import CONDITION_FAILED, TRANSACTION_CONFLICT, cancellation_reasons
from background_jobs.core.errors import EventConflict, UnreadableEvent
from background_jobs.core.events import OrchestrationStarted, explain_unreadable, schedule_partition
from background_jobs.core.retention import Retention
from background_jobs.core.schedules.events import (
    Change,
    OccurrenceQueued,
    OccurrenceSkipped,
    OccurrenceStarted,
    ScheduleEvent,
    find_later_schedule_event,
    parse_schedule_event,
    queue_sort,
    skipped_sort,
)
from background_jobs.core.tables import PARTITION_KEY, SORT_KEY

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class AlreadyStarted(Exception):
    """The occurrence was kicked off before; delivering it again starts nothing."""


class ScheduleLog:
    """The events of the schedules of an environment; nothing here can update or delete.

    Reading raises UnreadableEvent where one cannot be read.
    """

    def __init__(self, dynamodb: "DynamoDBClient", table: str, retention: Retention) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._retention = retention

    @reaching_aws
    def append(self, event: ScheduleEvent) -> None:
        """Append *event*. Raises EventConflict if another event already holds its key."""
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item=to_item(event.key, event, self._retention.longest),
                ConditionExpression=KEY_IS_FREE,
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as taken:
            raise EventConflict(*event.key) from taken

    @reaching_aws
    def start(self, run: OccurrenceStarted, kick_off: OrchestrationStarted) -> None:
        """Append the run and its orchestration's kick-off: both, or neither.

        Raises AlreadyStarted, EventConflict if another occurrence became the run of that number, or
        OrchestrationOfOtherService.
        """
        put: Any = {
            "TableName": self._table,
            "Item": to_item(run.key, run, self._retention.longest),
            "ConditionExpression": KEY_IS_FREE,
        }
        kick_off_of_run = kick_off_puts(self._table, kick_off, self._retention)
        try:
            self._dynamodb.transact_write_items(TransactItems=[{"Put": put}, *kick_off_of_run])
        except self._dynamodb.exceptions.TransactionCanceledException as cancelled:
            reasons = cancellation_reasons(cancelled)
            if reasons[1] == CONDITION_FAILED:
                raise AlreadyStarted from cancelled
            if reasons[0] == CONDITION_FAILED or TRANSACTION_CONFLICT in reasons:
                raise EventConflict(*run.key) from cancelled
            if reasons[2] == CONDITION_FAILED:
                details: Any = cancelled.response["CancellationReasons"]
                holder_of_id(kick_off, *details[1:])
            raise

    def read_latest_runs(self, name: str, limit: int) -> list[OccurrenceStarted]:
        """Return the last *limit* runs of a schedule, newest first."""
        events = self._events(name, "run#", "run#~", newest_first=True, limit=limit)
        return [event for event in events if isinstance(event, OccurrenceStarted)]

    def read_runs(self, name: str) -> Iterator[OccurrenceStarted]:
        """Yield the runs of a schedule, those that were started last first, page by page."""
        events = self._events(name, "run#", "run#~", newest_first=True)
        return (event for event in events if isinstance(event, OccurrenceStarted))

    def read_runs_since(self, name: str, since: datetime) -> list[OccurrenceStarted]:
        """Return the runs that were started at *since* or later, newest first."""
        return list(takewhile(lambda run: run.at >= since, self.read_runs(name)))

    def read_queue(self, name: str, after: int) -> list[OccurrenceQueued]:
        """Return the occurrences whose place in the queue is beyond *after*, in order."""
        events = self._events(name, queue_sort(after + 1), "queued#~")
        return [event for event in events if isinstance(event, OccurrenceQueued)]

    @reaching_aws
    def read_skip(self, name: str, scheduled_at: datetime) -> OccurrenceSkipped | None:
        """Return the event that the occurrence of *scheduled_at* was skipped, if it was."""
        key = {PARTITION_KEY: {"S": schedule_partition(name)}, SORT_KEY: {"S": skipped_sort(scheduled_at)}}
        response = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        event = _event_of(name, response["Item"]) if "Item" in response else None
        return event if isinstance(event, OccurrenceSkipped) else None

    def read_latest_skips(self, name: str, limit: int) -> list[OccurrenceSkipped]:
        """Return the last *limit* skipped occurrences by the times at which they were due, newest first."""
        events = self._events(name, "skipped#", "skipped#~", newest_first=True, limit=limit)
        return [event for event in events if isinstance(event, OccurrenceSkipped)]

    def read_changes(self, name: str) -> list[Change]:
        """Return how the schedule was changed, oldest first."""
        events = self._events(name, "changed#", "changed#~")
        return [event for event in events if isinstance(event, Change)]

    @reaching_aws
    def _events(
        self, name: str, low: str, high: str, *, newest_first: bool = False, limit: int | None = None
    ) -> Iterator[ScheduleEvent]:
        """Yield the events between two sort keys, *limit* at most."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=f"{PARTITION_KEY} = :schedule AND {SORT_KEY} BETWEEN :low AND :high",
            ExpressionAttributeValues={
                ":schedule": {"S": schedule_partition(name)},
                ":low": {"S": low},
                ":high": {"S": high},
            },
            ScanIndexForward=not newest_first,
            ConsistentRead=True,
            PaginationConfig={"MaxItems": limit, "PageSize": limit} if limit else {},
        )
        for page in pages:
            yield from (_event_of(name, item) for item in page["Items"])


def _event_of(name: str, item: Mapping[str, Any]) -> ScheduleEvent:
    """Return the event of an item of the schedule *name*. Raises UnreadableEvent.

    None is left out: what is decided without one may start an occurrence twice.
    """
    document = item.get("document", {}).get("S", "")
    try:
        return parse_schedule_event(document)
    except ValueError as wrong:
        reason = find_later_schedule_event(document) or explain_unreadable(wrong)
        remedy = "the schedule is to be made anew, under another name"
        raise UnreadableEvent(f"the schedule {name!r}", item[SORT_KEY]["S"], str(reason), remedy) from None
