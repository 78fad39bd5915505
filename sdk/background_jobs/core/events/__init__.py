"""The events of the log: a closed union.

The sort key of an event of an orchestration as a whole follows from what happened, so that appending it twice
is harmless. The events of job instances lie in blocks, whose places say the same (`core.blocks`).
"""

from typing import Annotated, Any, Final, get_args

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from background_jobs.core.events import jobs, orchestrations
from background_jobs.core.events.base import LogEvent, PayloadRef
from background_jobs.core.events.jobs import *  # noqa: F403 -- its __all__ is the list
from background_jobs.core.events.jobs import JobEvent
from background_jobs.core.events.keys import (
    LOG_PARTITIONS,
    PARTITION_SIZE,
    POINTER_SORT,
    EventKey,
    job_partition,
    job_partitions,
    log_partition,
    orchestration_of_partition,
    pointer_key,
    schedule_partition,
)
from background_jobs.core.events.later import SCHEMA_VERSION, LaterEvent, find_later
from background_jobs.core.events.orchestrations import *  # noqa: F403 -- its __all__ is the list
from background_jobs.core.events.orchestrations import OrchestrationEvent
from background_jobs.core.payloads import bounded

__all__ = [
    "EVENT_TYPES",
    "LOG_PARTITIONS",
    "PARTITION_SIZE",
    "POINTER_SORT",
    "SCHEMA_VERSION",
    "Event",
    "EventKey",
    "InvalidEvent",
    "LaterEvent",
    "LogEvent",
    "PayloadRef",
    "explain_unreadable",
    "find_later",
    "find_later_event",
    "job_partition",
    "job_partitions",
    "log_partition",
    "orchestration_of_partition",
    "parse_event",
    "parse_orchestration_event",
    "pointer_key",
    "schedule_partition",
    "schema_of_events",
]
__all__ += jobs.__all__
__all__ += orchestrations.__all__

Event = OrchestrationEvent | JobEvent
EVENT_TYPES: Final = frozenset(kind.__name__ for kind in get_args(Event))
"""The types of events that this release knows."""


class InvalidEvent(ValueError):
    """What is stored at a place of the log is no event of it."""

    def __init__(self, key: EventKey) -> None:
        self.key = key
        super().__init__(f"What lies at {key} is no event of its orchestration and service.")


def explain_unreadable(wrong: Exception) -> str:
    """Return in a few words why reading an event failed; what it holds is left out, for it may be secret.

    >>> explain_unreadable(ValueError("it is no JSON array"))
    'it is no JSON array'
    """
    if not isinstance(wrong, ValidationError):
        return bounded(str(wrong) or type(wrong).__name__, _REASON_CHARACTERS)
    error = wrong.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in error["loc"] if not isinstance(part, int))
    return bounded(": ".join(filter(None, (place, error["msg"]))), _REASON_CHARACTERS)


_REASON_CHARACTERS: Final = 300
_EVENT: Final[TypeAdapter[Event]] = TypeAdapter(Annotated[Event, Field(discriminator="type")])


def parse_event(document: str | bytes) -> Event:
    """Read an event of any released version from its JSON.

    Raises pydantic.ValidationError if *document* is not an event.
    """
    return _EVENT.validate_json(document)


def parse_orchestration_event(key: EventKey, document: str | bytes) -> OrchestrationEvent:
    """Read the event of an orchestration as a whole that lies at *key*.

    Raises InvalidEvent where it does not belong there, or pydantic.ValidationError if it is no event.
    """
    event = parse_event(document)
    place = orchestration_of_partition(key.partition)
    if not isinstance(event, OrchestrationEvent) or place is None or event.sort_key != key.sort:
        raise InvalidEvent(key)
    service = getattr(event, "service", place[0])
    if key.partition != log_partition(service, event.orchestration_id):
        raise InvalidEvent(key)
    return event


def find_later_event(document: str | bytes) -> LaterEvent | None:
    """Return what can be told of an event that a later release wrote; None where *document* is none."""
    try:
        return find_later(from_json(document), EVENT_TYPES)
    except ValueError:
        return None


def schema_of_events() -> dict[str, Any]:
    """Return the JSON Schema of every event of the log."""
    return _EVENT.json_schema(mode="serialization")
