"""What all events have, and where a document is that is too large for an event."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from background_jobs.core.events.later import SCHEMA_VERSION


class PayloadRef(BaseModel):
    """A JSON document that is too large for an event, kept in the payload bucket."""

    model_config = ConfigDict(frozen=True)

    key: str
    bytes: str | None = None
    """The part of the object that is the document, as an HTTP byte range; the whole object if None."""


class LogEvent(BaseModel):
    """What all events of an orchestration have."""

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1] = SCHEMA_VERSION
    orchestration_id: str
    at: AwareDatetime
