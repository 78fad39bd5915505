"""The items of the event log in DynamoDB's JSON: events with a key of their own, and pointers to services."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from background_jobs.aws.block_items import BLOCK, block_from_item
from background_jobs.core.blocks import Contents, Fault
from background_jobs.core.errors import OrchestrationOfOtherService, UnreadableEvent
from background_jobs.core.events import (
    POINTER_SORT,
    Event,
    EventKey,
    OrchestrationEvent,
    OrchestrationStarted,
    explain_unreadable,
    find_later_event,
    log_partition,
    orchestration_of_partition,
    parse_orchestration_event,
    pointer_key,
)
from background_jobs.core.retention import Retention
from background_jobs.core.tables import EXPIRES_AT, PARTITION_KEY, SORT_KEY

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from background_jobs.core.schedules.events import ScheduleEvent

KEY_IS_FREE: Final = f"attribute_not_exists({SORT_KEY})"
"""The condition of every append."""
POINTER: Final = "Pointer"
"""The attribute ``type`` of the item that says to which service an orchestration belongs."""


def to_item(
    key: EventKey, event: "OrchestrationEvent | ScheduleEvent", retention: timedelta
) -> dict[str, dict[str, str]]:
    """Return the item that holds *event* until *retention* is over."""
    return {
        PARTITION_KEY: {"S": key.partition},
        SORT_KEY: {"S": key.sort},
        "type": {"S": event.type},
        "document": {"S": event.model_dump_json(exclude_none=True)},
        # In seconds, since a date beyond the year 9999 cannot be.
        EXPIRES_AT: {"N": str(int(event.at.timestamp() + retention.total_seconds()))},
    }


def event_from_item(item: Mapping[str, Any]) -> OrchestrationEvent:
    """Return the event of an item, or of its stream image.

    Raises KeyError, pydantic.ValidationError or InvalidEvent if it holds none that may be in its place.
    """
    key = EventKey(item[PARTITION_KEY]["S"], item[SORT_KEY]["S"])
    return parse_orchestration_event(key, item["document"]["S"])


def read_item(item: Mapping[str, Any]) -> Contents[Event]:
    """Return what any item of an orchestration, or its stream image, holds: an event, or those of a block.

    What cannot be read, or may not be in its place, is told of and left out, whatever it is.
    """
    try:
        if is_block(item):
            return Contents(*block_from_item(item).read())
        return Contents([event_from_item(item)])
    except (AttributeError, KeyError, TypeError, ValueError) as wrong:
        return Contents([], [_explain(item, wrong)])


def started_from_item(item: Mapping[str, Any]) -> OrchestrationStarted:
    """Return the kick-off of an item. Raises UnreadableEvent."""
    events, faults = read_item(item)
    for event in events:
        if isinstance(event, OrchestrationStarted):
            return event
    _, orchestration_id = orchestration_of_partition(item[PARTITION_KEY]["S"]) or ("", "")
    raise UnreadableEvent(orchestration_id, item[SORT_KEY]["S"], "; ".join(map(str, faults)))


def _explain(item: Mapping[str, Any], wrong: Exception) -> Fault:
    """Return why reading *item* failed."""
    with suppress(AttributeError, KeyError, TypeError):
        if later := find_later_event(item["document"]["S"]):
            return Fault(str(later), later)
    if isinstance(wrong, ValueError):
        return Fault(explain_unreadable(wrong))
    return Fault(f"the item is malformed: {wrong!r}")


def is_block(item: Mapping[str, Any]) -> bool:
    """Tell whether an item, or its stream image, is to be a block."""
    return bool(item.get("type") == {"S": BLOCK})


def kick_off_puts(
    table: str, started: OrchestrationStarted, retention: Retention
) -> "list[TransactWriteItemTypeDef]":
    """Return the parts of the transaction that makes a kick-off real: its event, and the pointer."""
    key = EventKey(log_partition(started.service, started.orchestration_id), started.sort_key)
    event = to_item(key, started, retention.of(started.service))
    pointer = pointer_key(started.orchestration_id)
    items: list[Any] = [
        event,
        {
            PARTITION_KEY: {"S": pointer.partition},
            SORT_KEY: {"S": pointer.sort},
            "type": {"S": POINTER},
            POINTER_SORT: {"S": started.service},
            EXPIRES_AT: event[EXPIRES_AT],
        },
    ]
    return [
        {
            "Put": {
                "TableName": table,
                "Item": item,
                "ConditionExpression": KEY_IS_FREE,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }
        for item in items
    ]


def holder_of_id(
    started: OrchestrationStarted, event_reason: Mapping[str, Any], pointer_reason: Mapping[str, Any]
) -> OrchestrationStarted:
    """Return the kick-off that holds the id of *started*, given why DynamoDB refused its event and pointer.

    Raises OrchestrationOfOtherService where the id belongs to another service, or UnreadableEvent.
    """
    if "Item" in event_reason:
        return started_from_item(event_reason["Item"])
    service = pointer_reason.get("Item", {}).get(POINTER_SORT, {}).get("S", "")
    raise OrchestrationOfOtherService(started.orchestration_id, started.idempotency_key or "", service)
