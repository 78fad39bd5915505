"""The events of a schedule's history: a closed union beside that of orchestrations, each with its key.

The number of a run and the place in the queue are parts of keys. So where two functions decide at the same
time, the log takes the event of one of them, and the other has to read the backlog again.
"""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal, get_args

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter
from pydantic_core import from_json

from background_jobs.core.bounds import Actor, ErrorMessage
from background_jobs.core.events import SCHEMA_VERSION, EventKey, LaterEvent, find_later, schedule_partition
from background_jobs.core.schedules.definition import ScheduleDefinition


class _ScheduleEvent(BaseModel):
    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1] = SCHEMA_VERSION
    schedule: str
    at: AwareDatetime

    def _key(self, sort: str) -> EventKey:
        return EventKey(schedule_partition(self.schedule), sort)


class _Change(_ScheduleEvent):
    by: Actor = ""
    """Who changed it; empty where that is not known."""

    @property
    def key(self) -> EventKey:
        """Return the event's identity."""
        return self._key(f"changed#{sortable(self.at)}")


class ScheduleDefined(_Change):
    """A schedule was made, or made anew."""

    type: Literal["ScheduleDefined"] = "ScheduleDefined"
    definition: ScheduleDefinition
    paused: bool = False
    """Whether it was paused before; then it stays paused."""


class SchedulePaused(_Change):
    """A schedule was paused; nothing is due until it is resumed."""

    type: Literal["SchedulePaused"] = "SchedulePaused"


class ScheduleResumed(_Change):
    """A paused schedule goes on, as *definition* says."""

    type: Literal["ScheduleResumed"] = "ScheduleResumed"
    definition: ScheduleDefinition


class ScheduleDeleted(_Change):
    """A schedule was deleted; the occurrences in its queue will not run."""

    type: Literal["ScheduleDeleted"] = "ScheduleDeleted"


class _OccurrenceEvent(_ScheduleEvent):
    scheduled_at: AwareDatetime
    """When the occurrence was due; this and the schedule's name identify it."""


class OccurrenceStarted(_OccurrenceEvent):
    """An occurrence was kicked off; it is run *number* of the schedule, from 1."""

    type: Literal["OccurrenceStarted"] = "OccurrenceStarted"
    number: int = Field(ge=1)
    orchestration_id: str
    place: int = 0
    """The last place of the queue whose turn has come."""

    @property
    def key(self) -> EventKey:
        """Return the event's identity; two deciders cannot both start the next run."""
        return self._key(f"run#{self.number:08d}")


class OccurrenceQueued(_OccurrenceEvent):
    """An occurrence waits for the run before it; it has the given *place* in the queue, from 1."""

    type: Literal["OccurrenceQueued"] = "OccurrenceQueued"
    place: int = Field(ge=1)
    definition: ScheduleDefinition
    """The schedule as it was then; it runs like that whatever becomes of the schedule."""

    @property
    def key(self) -> EventKey:
        """Return the event's identity."""
        return self._key(queue_sort(self.place))


class OccurrenceSkipped(_OccurrenceEvent):
    """An occurrence was due and did not run."""

    type: Literal["OccurrenceSkipped"] = "OccurrenceSkipped"
    reason: ErrorMessage

    @property
    def key(self) -> EventKey:
        """Return the event's identity."""
        return self._key(skipped_sort(self.scheduled_at))


Change = ScheduleDefined | SchedulePaused | ScheduleResumed | ScheduleDeleted
OccurrenceEvent = OccurrenceStarted | OccurrenceQueued | OccurrenceSkipped
ScheduleEvent = Change | OccurrenceEvent

SCHEDULE_EVENT_TYPES: Final = frozenset(kind.__name__ for kind in get_args(ScheduleEvent))
"""The types of events that this release knows."""
_EVENT: Final[TypeAdapter[ScheduleEvent]] = TypeAdapter(Annotated[ScheduleEvent, Field(discriminator="type")])


def parse_schedule_event(document: str | bytes) -> ScheduleEvent:
    """Read an event of a schedule's history from its JSON. Raises pydantic.ValidationError if it is none."""
    return _EVENT.validate_json(document)


def find_later_schedule_event(document: str | bytes) -> LaterEvent | None:
    """Return what can be told of an event that a later release wrote; None where *document* is none."""
    try:
        return find_later(from_json(document), SCHEDULE_EVENT_TYPES)
    except ValueError:
        return None


def sortable(at: datetime) -> str:
    """Return *at* as a text that sorts as time does.

    >>> sortable(datetime(2026, 11, 24, 3, tzinfo=UTC))
    '2026-11-24T03:00:00.000000+00:00'
    """
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def skipped_sort(scheduled_at: datetime) -> str:
    """Return the sort key of the event that an occurrence was skipped."""
    return f"skipped#{sortable(scheduled_at)}"


def queue_sort(place: int) -> str:
    """Return the sort key of the event at *place* of the queue."""
    return f"queued#{place:08d}"
