"""Blocks of the log, measured with the emulator: outcomes appended and read back, and what they cost.

Run it with `python -m benchmarks.blocks`. Write units follow DynamoDB's rule: one for each KB begun of an
item that is put alone; a transaction takes two for it, and two for each condition check.
"""

import math
import os
import time
import uuid
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from background_jobs.aws import clients
from background_jobs.aws.block_log import BlockLog
from background_jobs.core.blocks import Block, InstanceRange, cut_bodies, ranges_of_share
from background_jobs.core.events import JobCompleted, JobError, JobErrored
from background_jobs.core.ownership import begin, close, take_over
from background_jobs.core.retention import Retention
from background_jobs.local_stack import LocalStack

TOTAL: Final = 10_000
PER_BLOCK: Final = 100
ROUNDS: Final = 4
SERVICE: Final = "schedule"
"""Partitions that the stack's functions pass by, for nothing but the log is measured."""


def main() -> None:
    """Measure one and two writers, both ways of fencing, reading back, taking over and closing."""
    with LocalStack(str(Path(__file__).with_name("jobs.py"))) as stack:
        table = stack.settings.event_log_table
        environ = dict(stack.variables)
        os.environ.update(environ)
        for _ in range(ROUNDS):
            for checked in (False, True):
                for writers in (1, 2):
                    _show_appends(table, environ, writers, checked=checked)
        _show_closing(table)


def _log(table: str) -> BlockLog:
    return BlockLog(clients.dynamodb(), table, Retention(90))


def _outcomes(orchestration_id: str, indices: Iterable[int]) -> list[JobCompleted]:
    now = datetime.now(UTC)
    return [
        JobCompleted(
            orchestration_id=orchestration_id,
            at=now + timedelta(microseconds=317 * index),
            index=index,
            attempts=1,
            started_at=now + timedelta(microseconds=316 * index),
            result=index,
        )
        for index in indices
    ]


def _write(table: str, environ: dict[str, str], part: tuple[str, int, int], checked: bool) -> float:  # noqa: FBT001
    os.environ.update(environ)
    clients._client.cache_clear()  # noqa: SLF001 -- connections do not outlive a fork
    orchestration_id, first, last = part
    log, cpu = _log(table), time.process_time()
    for instances in ranges_of_share(SERVICE, orchestration_id, first, last):
        owned = begin(instances, uuid.uuid4().hex)
        for low in range(instances.first, instances.last + 1, PER_BLOCK):
            high = min(low + PER_BLOCK, instances.last + 1)
            for body in cut_bodies(_outcomes(orchestration_id, range(low, high))):
                if checked:
                    _append_checked(log, table, Block(instances, owned.next_sequence, 0, owned.owner, body))
                    owned.next_sequence += 1
                else:
                    log.run(owned.append(body))
    return time.process_time() - cpu


def _append_checked(log: BlockLog, table: str, block: Block) -> None:
    """Append as a transaction of the put and the check that the next fence is free."""
    fence = {"pk": {"S": block.key.partition}, "sk": {"S": f"fence#{block.fence + 1:05d}"}}
    free = "attribute_not_exists(sk)"
    put = {"TableName": table, "Item": log._item(block), "ConditionExpression": free}  # noqa: SLF001
    check = {"TableName": table, "Key": fence, "ConditionExpression": free}
    transaction: Any = [{"Put": put}, {"ConditionCheck": check}]
    clients.dynamodb().transact_write_items(TransactItems=transaction)


def _show_appends(table: str, environ: dict[str, str], writers: int, *, checked: bool) -> None:
    orchestration_id = str(uuid.uuid4())
    each = TOTAL // writers
    parts = [(orchestration_id, number * each, (number + 1) * each - 1) for number in range(writers)]
    with ProcessPoolExecutor(writers) as pool:
        list(pool.map(time.sleep, [0.3] * writers))
        began = time.monotonic()
        cpu = sum(pool.map(_write, [table] * writers, [environ] * writers, parts, [checked] * writers))
        appended = time.monotonic() - began
    log, began, before = _log(table), time.monotonic(), time.process_time()
    events = list(log.read_events(SERVICE, orchestration_id, 0, TOTAL - 1))
    read, read_cpu = time.monotonic() - began, time.process_time() - before
    sizes = _sizes(table, orchestration_id)
    units = sum(2 * math.ceil(size / 1024) + 2 if checked else math.ceil(size / 1024) for size in sizes)
    print(
        f"{'put and check' if checked else 'put at the next number'}, {writers} writer(s): "
        f"{TOTAL / appended:,.0f} outcomes/s appended, {1e6 * cpu / TOTAL:.0f} us of CPU each; "
        f"{len(events):,} read back in {read:.2f} s, {1e6 * read_cpu / TOTAL:.0f} us of CPU each; "
        f"{len(sizes)} blocks, {sum(sizes) / TOTAL:.1f} bytes and {units / TOTAL:.3f} write units an outcome"
    )


def _show_closing(table: str) -> None:
    orchestration_id = str(uuid.uuid4())
    log = _log(table)

    def bodies(left: Iterable[int], _blocks: object) -> list[bytes]:
        error = JobError(type="Cancelled", message="The orchestration was cancelled.")
        return list(
            cut_bodies(
                JobErrored(orchestration_id=orchestration_id, at=datetime.now(UTC), index=index, attempts=0,
                           job_name="no_op", params={"n": index}, error=error)
                for index in left
            )
        )  # fmt: skip

    ranges = [InstanceRange(SERVICE, orchestration_id, index, index) for index in range(TOTAL)]
    began = time.monotonic()
    closed = sum(log.run_all(close(part, "closer", bodies) for part in ranges))
    print(f"closing {closed:,} shares of one instance: {time.monotonic() - began:.2f} s")
    part = list(ranges_of_share(SERVICE, str(uuid.uuid4()), 0, TOTAL - 1))
    began = time.monotonic()
    list(log.run_all(take_over(instances, "relaunch") for instances in part))
    print(f"taking over a share of {TOTAL:,} instances, {len(part)} ranges: {time.monotonic() - began:.2f} s")


def _sizes(table: str, orchestration_id: str) -> list[int]:
    sizes = []
    for number in range(math.ceil(TOTAL / 250)):
        answer = clients.dynamodb().query(
            TableName=table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": f"{SERVICE}#{orchestration_id}#jobs#{number:05d}"}},
        )
        sizes += [sum(len(name) + _length(value) for name, value in item.items()) for item in answer["Items"]]
    return sizes


def _length(value: Any) -> int:  # noqa: ANN401 -- DynamoDB's JSON
    ((kind, content),) = value.items()
    return len(content) // 2 + 1 if kind == "N" else len(content.encode() if kind == "S" else content)


if __name__ == "__main__":
    main()
