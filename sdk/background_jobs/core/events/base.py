"""What all events have: a key that is their identity, and where a document too large for an event is."""

from typing import Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict


class EventKey(NamedTuple):
    """Where an event is in the log; its identity."""

    partition: str
    sort: str


class PayloadRef(BaseModel):
    """A JSON document that is too large for an event, kept in the payload bucket."""

    model_config = ConfigDict(frozen=True)

    key: str
    bytes: str | None = None
    """The part of the object that is the document, as an HTTP byte range; the whole object if None."""


class LogEvent(BaseModel):
    """What all events of an orchestration have."""

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1] = 1
    orchestration_id: str
    at: AwareDatetime
