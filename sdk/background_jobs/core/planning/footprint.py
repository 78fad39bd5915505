"""How much of each AWS service an orchestration uses, computed from what the code does (docs/cost.md)."""

import math
from datetime import UTC, datetime
from typing import Final

from pydantic import BaseModel, ConfigDict

from background_jobs.core.events import (
    LOG_PARTITIONS,
    ContainerEnded,
    ContainerStarted,
    Event,
    JobCompleted,
    JobStarted,
    OrchestrationCompleted,
    OrchestrationEvent,
    OrchestrationStarted,
    PayloadRef,
    log_partition,
)
from background_jobs.core.limits import APPEND_SECONDS, LOOK_SECONDS, STREAM_BATCH
from background_jobs.core.payload_keys import payload_folder
from background_jobs.core.payloads import INLINE_BYTES
from background_jobs.core.planning.fargate import at_once, launch_seconds
from background_jobs.core.statuses import CHUNKS
from background_jobs.core.tables import EXPIRES_AT, HISTORY_INDEXES, PARTITION_KEY, SORT_KEY

TRANSACTION: Final = 2
"""A transaction takes twice the units that the same items take outside of one."""
WRITE_UNIT_BYTES: Final = 1_024
READ_UNIT_BYTES: Final = 4_096
UPLOAD_PART_BYTES: Final = 8 * 1024 * 1024

STREAM_POLLS_PER_SECOND: Final = 4
"""How often Lambda looks into each shard of a DynamoDB stream."""
STREAM_SHARDS: Final = 4
"""The shards of a table on demand that has never had more load than a new table takes."""
FUNCTION_SECONDS: Final = 0.05
"""One batch of the aggregator, at 1 GB."""
_PARENT_TRANSITIONS: Final = 3
_CHILD_TRANSITIONS: Final = 2
"""The start of a child execution counts beside its one state."""
_TRANSITION_BYTES: Final = 32
"""One transition in the feed of the read model."""
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
    params_bytes: int = 256
    """Of one instance, as JSON."""
    result_bytes: int = 256

    @property
    def share_seconds(self) -> float:
        """Return how long a container works, on average."""
        return self.total * self.instance_seconds / max(1, self.containers)


class Footprint(BaseModel):
    """The counts that a bill is made of."""

    model_config = ConfigDict(frozen=True)

    containers: int
    container_seconds: float
    log_write_units: float
    log_read_units: float
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
    starts = run.total * starts_written(run.instance_seconds)
    events = run.total + starts
    batches = _batches(events, launch_seconds(run.containers) + run.share_seconds)
    chunk_numbers = _chunks_touched(run, events / batches)
    feed = math.ceil(events / batches * _TRANSITION_BYTES / WRITE_UNIT_BYTES)
    by_reference = run.total if run.result_bytes > INLINE_BYTES else 0
    return Footprint(
        containers=run.containers,
        container_seconds=run.container_seconds,
        log_write_units=_log_writes(run, starts),
        log_read_units=run.containers * (1 + run.share_seconds / LOOK_SECONDS) + _result_reads(run),
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


def starts_written(instance_seconds: float) -> float:
    """Return which part of the starts is written: an outcome in the same transaction stands for its own.

    >>> starts_written(0.05), starts_written(5)
    (0.25, 1.0)
    """
    return min(1.0, instance_seconds / APPEND_SECONDS)


def item_bytes(event: Event) -> int:
    """Return the size of *event* as an item of the log: the names and values of its attributes."""
    partition = log_partition(_SERVICE, event.orchestration_id)
    sort = event.sort_key if isinstance(event, OrchestrationEvent) else "block#00000000-00000249#000000"
    values = (partition, sort, event.type, event.model_dump_json(exclude_none=True))
    return len(_ATTRIBUTE_NAMES) + sum(len(value.encode()) for value in values) + _NUMBER_BYTES


def outcome_bytes(result_bytes: int) -> int:
    """Return the size of a JobCompleted whose result is so long, in the log or by reference."""
    inline = result_bytes <= INLINE_BYTES
    key = f"{payload_folder(_SERVICE, _ID)}/results/00000000.json"
    outcome = JobCompleted(
        orchestration_id=_ID,
        at=_AT,
        index=0,
        attempts=1,
        started_at=_AT,
        result="r" * max(0, result_bytes - 2) if inline else None,
        result_ref=None if inline else PayloadRef(key=key),
    )
    return item_bytes(outcome)


def _log_writes(run: Run, starts: float) -> float:
    started = JobStarted(orchestration_id=_ID, at=_AT, index=0, attempt=1)
    container = ContainerStarted(orchestration_id=_ID, at=_AT, share=0, launch=0, first=0, last=0)
    events = starts * _units(item_bytes(started)) + run.total * _units(outcome_bytes(run.result_bytes))
    # The end of a container shares a transaction with its last outcomes.
    ended = ContainerEnded(orchestration_id=_ID, at=_AT, share=0, launch=0, status=0)
    container_units = _units(item_bytes(container)) + TRANSACTION * _units(item_bytes(ended))
    return TRANSACTION * events + run.containers * container_units + _fixed_writes()


def _fixed_writes() -> int:
    """Return the write units of the two events that begin and end every orchestration."""
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
    return _units(item_bytes(first)) + _units(item_bytes(last))


def _units(size: int) -> int:
    return math.ceil(size / WRITE_UNIT_BYTES)


def _result_reads(run: Run) -> float:
    partitions = LOG_PARTITIONS.count(run.total)
    return partitions + run.total * outcome_bytes(run.result_bytes) / READ_UNIT_BYTES


def _batches(events: float, seconds: float) -> float:
    """Return into how many batches the stream cuts *events* that come within *seconds*."""
    polls = STREAM_POLLS_PER_SECOND * STREAM_SHARDS * seconds
    return max(1.0, min(events, max(events / STREAM_BATCH, polls)))


def _chunks_touched(run: Run, events_a_batch: float) -> float:
    working = at_once(run.containers, run.share_seconds)
    return max(1.0, min(events_a_batch, CHUNKS.count(run.total), working))


def _transitions(containers: int) -> int:
    """Return those of an execution and its children; an orchestration without containers needs none."""
    return _PARENT_TRANSITIONS + _CHILD_TRANSITIONS * containers if containers else 0


def _uploads(size: int) -> int:
    """Return the requests that store *size* bytes: one, or one for each part and two around them."""
    return 1 if size <= UPLOAD_PART_BYTES else math.ceil(size / UPLOAD_PART_BYTES) + 2
