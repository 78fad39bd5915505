"""The history measured with 100,000 orchestrations in the table of the offline stack: `make bench`.

Seconds are the emulator's, whose queries read whole partitions. Read units are computed by DynamoDB's rule:
half a unit for each 4 KB begun, of all that a page of a query holds, and of each item that is got.
"""

import math
import os
import random
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from background_jobs.aws import clients
from background_jobs.aws.history import HistoryFilter, index_entry
from background_jobs.aws.stores import Stores
from background_jobs.core.read_model import Summary
from background_jobs.core.read_model_keys import SUMMARY, summary_key
from background_jobs.core.statuses import OrchestrationStatus
from background_jobs.local_stack import LocalStack

ORCHESTRATIONS = 100_000
ROUNDS = 10
ERROR_RATE = 0.01
NOW = datetime.now(UTC)
FILTERS: dict[str, dict[str, Any]] = {
    "newest": {},
    "by job": {"job_name": "job-3"},
    "by customer": {"customer": "customer-7"},
    "errored": {"status": OrchestrationStatus.ERRORED},
    "errored of a job": {"status": OrchestrationStatus.ERRORED, "job_name": "job-3"},
    "errored of a customer": {"status": OrchestrationStatus.ERRORED, "customer": "customer-7"},
    "a day, a month ago": {"until": NOW - timedelta(days=30), "since": NOW - timedelta(days=31)},
}


def main() -> None:
    """Fill the table, then ask for pages of 100."""
    with LocalStack(str(Path(__file__).with_name("jobs.py"))) as stack:
        for name in stack.unwanted_variables:
            del os.environ[name]
        os.environ.update(stack.variables)
        began = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda batch: _put(stack.settings.read_model_table, batch), _batches()))
        print(f"{ORCHESTRATIONS:,} orchestrations stored in {time.monotonic() - began:.0f} s")
        stores, units = Stores.of(stack.settings), list[float]()
        _count_units(units)
        for name, fields in FILTERS.items():
            _measure(name, HistoryFilter(**{"until": NOW, **fields}), stores, units)


def _measure(name: str, history_filter: HistoryFilter, stores: Stores, units: list[float]) -> None:
    units.clear()
    seconds, count = [], 0
    for _ in range(ROUNDS):
        began = time.monotonic()
        count = len(stores.history.page(history_filter, limit=100).summaries)
        seconds.append(time.monotonic() - began)
    seconds.sort()
    print(
        f"  {name:<22} {count:>3} found  p50 {1000 * statistics.median(seconds):>6.0f} ms  "
        f"p99 {1000 * seconds[-1]:>6.0f} ms  {sum(units) / ROUNDS:>6.1f} read units"
    )


def _count_units(units: list[float]) -> None:
    """Note what every read would cost."""

    def note_query(parsed: dict[str, Any], **_: object) -> None:
        units.append(math.ceil(sum(map(_size, parsed["Items"])) / 4096) / 2)

    def note_batch_get(parsed: dict[str, Any], **_: object) -> None:
        for items in parsed["Responses"].values():
            units.extend(math.ceil(_size(item) / 4096) / 2 for item in items)

    events = clients.dynamodb().meta.events
    events.register("after-call.dynamodb.Query", note_query)
    events.register("after-call.dynamodb.BatchGetItem", note_batch_get)


def _size(item: dict[str, dict[str, str]]) -> int:
    return sum(len(name) + len(text) for name, value in item.items() for text in value.values())


def _batches() -> Iterator[list[Summary]]:
    draw = random.Random(7)
    for first in range(0, ORCHESTRATIONS, 25):
        yield [_summary(first + n, draw) for n in range(25)]


def _summary(number: int, draw: random.Random) -> Summary:
    started = NOW - timedelta(days=80 * number / ORCHESTRATIONS)
    errored = draw.random() < ERROR_RATE
    return Summary(
        orchestration_id=str(UUID(int=draw.getrandbits(128))),
        version=9,
        job_name=f"job-{number % 20}",
        service="default",
        total=100,
        completed=100 - errored,
        errored=int(errored),
        tags={"customer": f"customer-{draw.randrange(500)}"},
        started_at=started,
        completed_at=started + timedelta(minutes=5),
    )


def _put(table: str, summaries: list[Summary]) -> None:
    expires_at = {"N": str(int((NOW + timedelta(days=90)).timestamp()))}
    puts: Any = [
        {
            "PutRequest": {
                "Item": {
                    "pk": {"S": summary_key(summary.service, summary.orchestration_id).partition},
                    "sk": {"S": SUMMARY},
                    "expires_at": expires_at,
                    "document": {"S": summary.model_dump_json(exclude_none=True)},
                    **index_entry(summary),
                }
            }
        }
        for summary in summaries
    ]
    clients.dynamodb().batch_write_item(RequestItems={table: puts})


if __name__ == "__main__":
    main()
