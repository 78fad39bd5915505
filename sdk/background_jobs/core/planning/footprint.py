"""How much of each AWS service an orchestration uses, computed from what the code does (docs/cost.md)."""

import math
from datetime import UTC, datetime
from typing import Final

from pydantic import BaseModel, ConfigDict

from background_jobs.core.events import (
    LOG_PARTITIONS,
    ContainerEnded,
    ContainerStarted,
    OrchestrationCompleted,
    OrchestrationEvent,
    OrchestrationStarted,
    log_partition,
)
from background_jobs.core.limits import LOOK_SECONDS, STREAM_BATCH, STREAM_WINDOW_SECONDS, UPLOAD_PART_BYTES
from background_jobs.core.payloads import INLINE_BYTES
from background_jobs.core.planning.blocks_written import WRITE_UNIT_BYTES, BlocksWritten, estimate_blocks
from background_jobs.core.planning.fargate import at_once, launch_seconds
from background_jobs.core.statuses import CHUNKS
from background_jobs.core.tables import EXPIRES_AT, HISTORY_INDEXES, PARTITION_KEY, SORT_KEY

TRANSACTION: Final = 2
"""A transaction takes twice the units that the same items take outside of one."""
READ_UNIT_BYTES: Final = 4_096

STREAM_SHARDS: Final = 4
"""The shards of a table on demand that has never had more load than a new table takes."""
FUNCTION_SECONDS: Final = 0.05
"""One batch of the aggregator, at 1 GB."""
_PARENT_TRANSITIONS: Final = 3
_CHILD_TRANSITIONS: Final = 2
"""The start of a child execution counts beside its one state."""
_FEED_BYTES: Final = 300
"""A feed item that has no transition: its keys, its counts and the names of its attributes."""
_TRANSITION_BYTES: Final = 4
"""One transition in the feed of the read model, packed."""
_LOG_BYTES_PER_CONTAINER: Final = 2_048
_LOG_BYTES_PER_INVOCATION: Final = 400
_ATTRIBUTE_NAMES: Final = f"{PARTITION_KEY}{SORT_KEY}typedocument{EXPIRES_AT}"
_NUMBER_BYTES: Final = 6
_SERVICE: Final = "default"
_ID: Final = "7c0e0b9a-0f0f-4c0e-9d6e-6b6a6f6f6273"
_AT: Final = datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)


class Run(BaseModel):
    """An orchestration that ran, or is to run."""

    model_config = ConfigDict(frozen=True)

    total: int
    containers: int
    container_seconds: float
    """What is billed of all containers together."""
    instance_seconds: float
    """How long one instance takes, on average."""
    concurrency: int = 1
    """How many instances run at once in one container."""
    params_bytes: int = 256
    """Of one instance, as JSON."""
    result_bytes: int = 256

    @property
    def seconds_an_outcome(self) -> float:
        """Return how long a container works for each instance, on average."""
        at_once = min(self.concurrency, math.ceil(self.total / max(1, self.containers)))
        return self.instance_seconds / max(1, at_once)

    @property
    def share_seconds(self) -> float:
        """Return how long a container works, on average."""
        return self.total * self.seconds_an_outcome / max(1, self.containers)

    def estimate_blocks(self) -> BlocksWritten:
        """Return the blocks that its containers append."""
        return estimate_blocks(
            total=self.total,
            containers=self.containers,
            seconds_an_outcome=self.seconds_an_outcome,
            result_bytes=self.result_bytes,
        )


class Footprint(BaseModel):
    """The counts that a bill is made of."""

    model_config = ConfigDict(frozen=True)

    containers: int
    container_seconds: float
    log_write_units: float
    log_read_units: float
    stream_records: float
    commits: float
    """The versions of the read model."""
    model_write_units: float
    model_read_units: float
    state_transitions: int
    invocations: float
    function_gb_seconds: float
    s3_puts: int
    s3_gets: int
    bus_events: int
    log_bytes: float


def estimate_footprint(run: Run) -> Footprint:
    """Return what *run* uses, if no attempt fails, nobody watches, and its results are read once."""
    blocks = run.estimate_blocks()
    records = blocks.blocks + 2 * run.containers + 2
    batches = _batches(records, launch_seconds(run.containers) + run.share_seconds)
    chunk_numbers = _chunks_touched(run, records / batches)
    feed = _units(_FEED_BYTES + (run.total + blocks.starts) / batches * _TRANSITION_BYTES)
    by_reference = run.total if run.result_bytes > INLINE_BYTES else 0
    return Footprint(
        containers=run.containers,
        container_seconds=run.container_seconds,
        log_write_units=blocks.write_units + run.containers * _container_writes() + _fixed_writes(),
        log_read_units=run.containers * (1 + run.share_seconds / LOOK_SECONDS) + _result_reads(run, blocks),
        stream_records=records,
        commits=batches,
        model_write_units=TRANSACTION * batches * (1 + feed + chunk_numbers) + 2 * len(HISTORY_INDEXES),
        model_read_units=TRANSACTION * batches * (1 + chunk_numbers) + 1,
        state_transitions=_transitions(run.containers),
        invocations=batches + 2,
        function_gb_seconds=(batches + 2) * FUNCTION_SECONDS,
        s3_puts=_uploads(run.total * run.params_bytes) + 1 + by_reference,
        s3_gets=run.containers + 2 + by_reference,
        bus_events=1,
        log_bytes=run.containers * _LOG_BYTES_PER_CONTAINER + batches * _LOG_BYTES_PER_INVOCATION,
    )


def item_bytes(event: OrchestrationEvent) -> int:
    """Return the size of *event* as an item of the log: the names and values of its attributes."""
    partition, sort = log_partition(_SERVICE, event.orchestration_id), event.sort_key
    values = (partition, sort, event.type, event.model_dump_json(exclude_none=True))
    return len(_ATTRIBUTE_NAMES) + sum(len(value.encode()) for value in values) + _NUMBER_BYTES


def _container_writes() -> int:
    """Return the write units of the two events that begin and end every container."""
    started = ContainerStarted(orchestration_id=_ID, at=_AT, share=0, launch=0, first=0, last=0)
    ended = ContainerEnded(orchestration_id=_ID, at=_AT, share=0, launch=0, status=0)
    return _units(item_bytes(started)) + _units(item_bytes(ended))


def _fixed_writes() -> int:
    """Return the write units of what begins and ends every orchestration."""
    first = OrchestrationStarted(
        orchestration_id=_ID,
        at=_AT,
        job_name="job",
        service=_SERVICE,
        total=1,
        parallelism=1,
        params_digest="0" * 64,
    )
    last = OrchestrationCompleted(
        orchestration_id=_ID,
        at=_AT,
        job_name="job",
        service=_SERVICE,
        total=1,
        completed=1,
        errored=0,
        started_at=_AT,
    )
    # The kick-off is a transaction with the item that says to which service the orchestration belongs.
    return TRANSACTION * (_units(item_bytes(first)) + 1) + _units(item_bytes(last))


def _units(size: float) -> int:
    return math.ceil(size / WRITE_UNIT_BYTES)


def _result_reads(run: Run, blocks: BlocksWritten) -> float:
    return LOG_PARTITIONS.count(run.total) + blocks.stored_bytes / READ_UNIT_BYTES


def _batches(records: float, seconds: float) -> float:
    """Return into how many batches the stream cuts *records* that come within *seconds*."""
    windows = STREAM_SHARDS * seconds / STREAM_WINDOW_SECONDS
    return max(1.0, min(records, max(records / STREAM_BATCH, windows)))


def _chunks_touched(run: Run, records_a_batch: float) -> float:
    """Return how many chunks of statuses a batch changes, on average, if each record changes any of them."""
    chunks = max(1, min(CHUNKS.count(run.total), at_once(run.containers, run.share_seconds)))
    untouched: float = (1 - 1 / chunks) ** max(1.0, records_a_batch)
    return chunks * (1 - untouched)


def _transitions(containers: int) -> int:
    """Return those of an execution and its children; an orchestration without containers needs none."""
    return _PARENT_TRANSITIONS + _CHILD_TRANSITIONS * containers if containers else 0


def _uploads(size: int) -> int:
    """Return the requests that store *size* bytes: one, or one for each part and two around them."""
    return 1 if size <= UPLOAD_PART_BYTES else math.ceil(size / UPLOAD_PART_BYTES) + 2
