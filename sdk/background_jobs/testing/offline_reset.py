"""An offline stack whose history is empty again, without another start.

The log stays as it is, so what was kicked off is found by its id and its key for as long as the stack is up.
"""

import time
from collections.abc import Iterator
from typing import Any, Final

from background_jobs.aws import clients
from background_jobs.core.events import STARTED, orchestration_of_partition
from background_jobs.core.read_model_keys import SUMMARY, orchestration_of_key
from background_jobs.core.tables import HISTORY_INDEXES, HISTORY_SORT_KEY, PARTITION_KEY, SORT_KEY
from background_jobs.orchestration_service.service import OrchestrationService
from background_jobs.settings import Settings

_WAIT_SECONDS: Final = 60
_POLL_SECONDS: Final = 0.05
_REASON: Final = "The test that kicked it off has ended."


def reset(service: OrchestrationService, settings: Settings) -> None:
    """Delete all schedules, end what still runs, and take everything out of the history.

    Raises TimeoutError where something does not end.
    """
    for schedule in service.schedules():
        schedule.delete()
    # What has ended may have kicked off a next stage meanwhile.
    while shown := _find_started(settings) - _find_hidden(settings):
        for orchestration_id in shown:
            _end(orchestration_id, service)
        for partition in _scan(settings.read_model_table, SUMMARY):
            _hide(partition, settings)


def _end(orchestration_id: str, service: OrchestrationService) -> None:
    pipeline = service.pipeline(orchestration_id)
    if not pipeline.done():
        pipeline.cancel(_REASON)
        pipeline.wait(_WAIT_SECONDS)
    orchestration, deadline = service.orchestration(orchestration_id), time.monotonic() + _WAIT_SECONDS
    # Its completion is the last event that is folded.
    while orchestration.summary().completed_at is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"Orchestration {orchestration_id} was not completed after {_WAIT_SECONDS} s.")
        time.sleep(_POLL_SECONDS)


def _find_started(settings: Settings) -> set[str]:
    partitions = _scan(settings.event_log_table, STARTED)
    return {place[1] for place in map(orchestration_of_partition, partitions) if place}


def _find_hidden(settings: Settings) -> set[str]:
    """Return the orchestrations that are in no index of the history."""
    partitions = _scan(settings.read_model_table, SUMMARY, f" AND attribute_not_exists({HISTORY_SORT_KEY})")
    return set(map(orchestration_of_key, partitions))


def _hide(partition: str, settings: Settings) -> None:
    # An item without the keys of an index is not in it.
    names = {f"#{number}": name for number, name in enumerate((HISTORY_SORT_KEY, *HISTORY_INDEXES.values()))}
    clients.dynamodb().update_item(
        TableName=settings.read_model_table,
        Key={PARTITION_KEY: {"S": partition}, SORT_KEY: {"S": SUMMARY}},
        UpdateExpression=f"REMOVE {', '.join(names)}",
        ExpressionAttributeNames=names,
    )


def _scan(table: str, sort: str, condition: str = "") -> Iterator[str]:
    """Yield the partitions that have an item under *sort* which fulfils *condition*."""
    request: Any = {
        "TableName": table,
        "FilterExpression": f"{SORT_KEY} = :sort{condition}",
        "ExpressionAttributeValues": {":sort": {"S": sort}},
        "ConsistentRead": True,
    }
    for page in clients.dynamodb().get_paginator("scan").paginate(**request):
        yield from (item[PARTITION_KEY]["S"] for item in page["Items"])
