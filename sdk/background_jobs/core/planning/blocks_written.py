"""How many blocks the containers of an orchestration append, and what they take in the log."""

import math
import zlib
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Final, NamedTuple

from background_jobs.core.blocks import BLOCK_BYTES, READABLE_BYTES, Block, InstanceRange, cut_bodies
from background_jobs.core.events import (
    LOG_PARTITIONS,
    PARTITION_SIZE,
    JobCompleted,
    JobEvent,
    JobStarted,
    PayloadRef,
)
from background_jobs.core.limits import APPEND_SECONDS
from background_jobs.core.payload_keys import payload_folder
from background_jobs.core.payloads import INLINE_BYTES
from background_jobs.core.tables import EXPIRES_AT, PARTITION_KEY, SORT_KEY

WRITE_UNIT_BYTES: Final = 1_024
FASTEST_INSTANCE: Final = 0.0004
"""Seconds: what a container takes for an instance that does nothing."""
_FIELDS: Final = f"{PARTITION_KEY}{SORT_KEY}typeBlockfenceownerevents{EXPIRES_AT}"
_NUMBERS_BYTES: Final = 2 + 6
_OWNER_BYTES: Final = len("launch 0 ") + 32
_RESULT_FIELD: Final = len(',"result":')
_SERVICE: Final = "default"
_ID: Final = "7c0e0b9a-0f0f-4c0e-9d6e-6b6a6f6f6273"
_AT: Final = datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)


class BlocksWritten(NamedTuple):
    """The blocks of all job instances of an orchestration; averages, so none need be a whole number."""

    blocks: float
    starts: float
    """The starts in them; the others are left out, as their outcomes are written at the same time."""
    write_units: float
    stored_bytes: float


def estimate_blocks(
    *, total: int, containers: int, seconds_an_outcome: float, result_bytes: int
) -> BlocksWritten:
    """Return what *containers* append about *total* instances, each with an outcome at such intervals.

    A container appends what has gathered APPEND_SECONDS after the first of it: the outcome of an instance
    with the start of the next, or those of several that are short. A block never spans two log partitions.
    """
    if not (total and containers):
        return BlocksWritten(0, 0, 0, 0)
    outcomes = instances_a_flush(seconds_an_outcome)
    share = total / containers
    # Where instances are long, the first start has no outcome beside it.
    flushes = containers * max(1.0, share / outcomes + (outcomes == 1))
    count = flushes + _ranges(total, containers) - containers
    outcomes_a_block = math.ceil(min(PARTITION_SIZE, total / count))
    size = block_bytes(outcomes_a_block, result_bytes)
    # What is too large for one block is cut into several, each with keys of its own.
    pieces = max(1, math.ceil(size / BLOCK_BYTES))
    count *= pieces
    return BlocksWritten(
        blocks=count,
        starts=min(total, flushes),
        write_units=count * math.ceil(size / pieces / WRITE_UNIT_BYTES),
        stored_bytes=count * size / pieces,
    )


def instances_a_flush(seconds_an_outcome: float) -> int:
    """Return how many outcomes a container that works without a pause appends together.

    >>> instances_a_flush(5), instances_a_flush(0.05)
    (1, 5)
    """
    return math.floor(APPEND_SECONDS / max(seconds_an_outcome, FASTEST_INSTANCE)) + 1


@lru_cache(maxsize=4_096)
def block_bytes(outcomes: int, result_bytes: int) -> int:
    """Return the size of a block's item with so many outcomes, the names and values of its attributes.

    Results are counted as they are, although most become smaller when a block is packed.
    """
    inline = result_bytes <= INLINE_BYTES
    body = b"".join(cut_bodies(_events(outcomes, inline=inline)))
    results = outcomes * result_bytes if inline else 0
    text = len(body) + results + outcomes * _RESULT_FIELD
    stored = text if text <= READABLE_BYTES else len(zlib.compress(body, 1)) + results
    key = Block(InstanceRange(_SERVICE, _ID, 0, PARTITION_SIZE - 1), 0, 0, "").key
    return len(_FIELDS) + _NUMBERS_BYTES + _OWNER_BYTES + len(key.partition) + len(key.sort) + stored


def _events(outcomes: int, *, inline: bool) -> list[JobEvent]:
    folder = payload_folder(_SERVICE, _ID)
    completed = [
        JobCompleted(
            orchestration_id=_ID,
            at=_AT + timedelta(microseconds=317 * index),
            index=index,
            attempts=1,
            started_at=_AT + timedelta(microseconds=316 * index),
            # The name of a result is its digest, which does not pack.
            result_ref=None
            if inline
            else PayloadRef(key=f"{folder}/results/{index}-{sha256(str(index).encode()).hexdigest()}.json"),
        )
        for index in range(outcomes)
    ]
    return [*completed, JobStarted(orchestration_id=_ID, at=_AT, index=outcomes, attempt=1)]


def _ranges(total: int, containers: int) -> int:
    """Return into how many ranges all shares are cut: at each end of a share, and of a partition."""
    together = math.lcm(math.ceil(total / containers), PARTITION_SIZE)
    return containers + LOG_PARTITIONS.count(total) - 1 - (total - 1) // together
