"""What an orchestration took, counted from the items in the tables by DynamoDB's rule for write units."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from background_jobs.aws import clients
from background_jobs.core.events import job_partitions, log_partition, pointer_key
from background_jobs.core.feed import unpack_feed_item
from background_jobs.core.read_model_keys import feed_partition, progress_key, statuses_key, summary_key
from background_jobs.core.statuses import CHUNKS
from background_jobs.settings import Settings

_TRANSACTION = 2
"""An item that is put in a transaction takes twice the units."""
Item = Mapping[str, Any]


class Counted(NamedTuple):
    """The write units of an orchestration without trouble, and the records that the stream had of it."""

    log_units: int
    read_model_units: int
    stream_records: int
    launches: int


def count_writes(settings: Settings, service: str, orchestration_id: str, total: int) -> Counted:
    """Count what is stored about an orchestration of *total* instances."""
    blocks = list(_items(settings.event_log_table, job_partitions(service, orchestration_id, 0, total - 1)))
    events = list(_items(settings.event_log_table, [log_partition(service, orchestration_id)]))
    pointer = list(_items(settings.event_log_table, [pointer_key(orchestration_id).partition]))
    kick_off = [event for event in events if event["type"]["S"] == "OrchestrationStarted"]
    units = sum(map(kilobytes, [*blocks, *events])) + sum(map(kilobytes, kick_off))
    return Counted(
        log_units=units + _TRANSACTION * sum(map(kilobytes, pointer)),
        read_model_units=_count_commits(settings.read_model_table, service, orchestration_id),
        stream_records=len([*blocks, *events, *pointer]),
        launches=sum(event["type"]["S"] == "ContainerStarted" for event in events),
    )


def _count_commits(table: str, service: str, orchestration_id: str) -> int:
    """Count the units of all commits; chunks are counted as large as they were at the end."""
    place = (service, orchestration_id)
    (summary,) = _items(table, [summary_key(*place).partition])
    units = 0
    for feed in _items(table, [feed_partition(*place)]):
        changes = unpack_feed_item(0, feed["changes"]["B"])
        touched = {CHUNKS.number(transition.index) for transition in changes.transitions}
        advanced = {CHUNKS.number(advance.index) for advance in changes.advances}
        keys = [statuses_key(*place, n) for n in touched] + [progress_key(*place, n) for n in advanced]
        chunks = _items(table, [key.partition for key in keys])
        units += _TRANSACTION * (kilobytes(summary) + kilobytes(feed) + sum(map(kilobytes, chunks)))
    return units


def kilobytes(item: Item) -> int:
    """Return the size of an item in KB begun: names and values, numbers at half a byte a digit."""
    size = 0
    for name, value in item.items():
        ((kind, content),) = value.items()
        length = len(content) // 2 + 1 if kind == "N" else len(content.encode() if kind == "S" else content)
        size += len(name) + length
    return math.ceil(size / 1024)


def _items(table: str, partitions: Iterable[str]) -> Iterator[Item]:
    paginator = clients.dynamodb().get_paginator("query")
    for partition in partitions:
        for page in paginator.paginate(
            TableName=table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": partition}},
        ):
            yield from page["Items"]
