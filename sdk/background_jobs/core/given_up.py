"""What a function gives up at once, as the failure queue has it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class UnreadableRecord(BaseModel):
    """An item of the event log of which something cannot be read; all that can be was handled."""

    model_config = ConfigDict(frozen=True)

    type: Literal["UnreadableRecord"] = "UnreadableRecord"
    partition: str
    sort: str
    """The item's key."""
    sequence_number: str
    """The record's place in its shard of the stream."""
    faults: list[str]
    """What cannot be read, and why; the first hundred."""
