"""The events of the log: a closed union, each with a key that is its identity.

The partition and sort key of an event follow from what happened, so that appending it twice is harmless,
and so that a job instance can have one outcome only (Completed and Errored share a key).
"""

from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter

from background_jobs.core.events.base import EventKey, LogEvent, PayloadRef
from background_jobs.core.events.jobs import (
    LOG_PARTITIONS,
    PARTITION_SIZE,
    FailedAttempt,
    JobAttemptFailed,
    JobCompleted,
    JobError,
    JobErrored,
    JobEvent,
    JobOutcome,
    JobProgressed,
    JobStarted,
    job_partition,
    outcome_key,
)
from background_jobs.core.events.orchestrations import (
    RERUN,
    ContainerEnded,
    ContainerStarted,
    OrchestrationCancelled,
    OrchestrationCompleted,
    OrchestrationEvent,
    OrchestrationStalled,
    OrchestrationStarted,
    RerunRequested,
    ShareDelayed,
    StageSkipped,
    cancelled_key,
    skipped_key,
    started_key,
)

__all__ = [
    "LOG_PARTITIONS",
    "PARTITION_SIZE",
    "RERUN",
    "ContainerEnded",
    "ContainerStarted",
    "Event",
    "EventKey",
    "FailedAttempt",
    "JobAttemptFailed",
    "JobCompleted",
    "JobError",
    "JobErrored",
    "JobEvent",
    "JobOutcome",
    "JobProgressed",
    "JobStarted",
    "LogEvent",
    "OrchestrationCancelled",
    "OrchestrationCompleted",
    "OrchestrationEvent",
    "OrchestrationStalled",
    "OrchestrationStarted",
    "PayloadRef",
    "RerunRequested",
    "ShareDelayed",
    "StageSkipped",
    "cancelled_key",
    "job_partition",
    "outcome_key",
    "parse_event",
    "schema_of_events",
    "skipped_key",
    "started_key",
]

Event = OrchestrationEvent | JobEvent

_EVENT: Final[TypeAdapter[Event]] = TypeAdapter(Annotated[Event, Field(discriminator="type")])


def parse_event(document: str | bytes) -> Event:
    """Read an event of any released version from its JSON.

    Raises pydantic.ValidationError if *document* is not an event.
    """
    return _EVENT.validate_json(document)


def schema_of_events() -> dict[str, Any]:
    """Return the JSON Schema of every event of the log."""
    return _EVENT.json_schema(mode="serialization")
