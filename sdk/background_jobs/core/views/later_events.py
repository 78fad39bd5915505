"""What views say of events that a later release wrote, and that this one cannot show."""

from collections import Counter
from collections.abc import Iterable
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from background_jobs.core.events import SCHEMA_VERSION, LaterEvent
from background_jobs.core.wording import count_of


class LaterEvents(BaseModel):
    """Events of one type that a later release wrote; they are left out."""

    model_config = ConfigDict(frozen=True)

    type: str
    schema_version: int
    count: int
    sentence: str = Field(description="What there is to say of them.")

    @classmethod
    def of(cls, type_: str, schema_version: int, count: int) -> Self:
        """Return what is said of *count* events of one type, in one version of its schema.

        >>> LaterEvents.of("JobPaused", 1, 2).sentence
        '2 events of type JobPaused, written by a later release, are not shown: update the SDK and the stack.'
        """
        events = count_of(count, "event")
        version = "" if schema_version == SCHEMA_VERSION else f", schema version {schema_version}"
        are = "is" if count == 1 else "are"
        return cls(
            type=type_,
            schema_version=schema_version,
            count=count,
            sentence=f"{events} of type {type_}{version}, written by a later release, {are} "
            "not shown: update the SDK and the stack.",
        )


def list_later(later: Iterable[LaterEvent]) -> list[LaterEvents]:
    """Return what is said of *later*, by type and version."""
    counts = Counter((event.type, event.schema_version) for event in later)
    return [LaterEvents.of(*kind, count) for kind, count in sorted(counts.items())]
