"""Where an orchestration comes from: what it runs again, or which stage of a pipeline it is."""

from array import array
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

RerunOnly = Literal["failed", "unrepaired", "completed", "all"]
"""Which instances of an orchestration may run again; the unrepaired failed and have completed in no rerun."""
Rerun = Literal["failed", "all", "selected"]
"""Which instances of an orchestration run again; the event of the rerun says which were selected."""


class Lineage(BaseModel):
    """The relatives of an orchestration, as its kick-off, its completion and its summary name them."""

    model_config = ConfigDict(frozen=True)

    parent_id: str | None = Field(
        default=None, description="The orchestration that this one runs again, or follows."
    )
    rerun_only: Rerun | None = Field(
        default=None, description="Which instances of the parent it runs again; null where it is no rerun."
    )
    pipeline_id: str | None = Field(
        default=None, description="The first orchestration of its pipeline; null where it is in none."
    )
    stage: int = Field(default=1, ge=1, description="Its place in its pipeline, from 1.")
    stages_left: int = Field(default=0, ge=0, description="How many stages are to follow it.")

    def lineage(self) -> dict[str, Any]:
        """Return these fields alone, for another model with them.

        >>> Lineage(stage=2).lineage()["stage"]
        2
        """
        return {name: getattr(self, name) for name in Lineage.model_fields}


def origins(parent_origins: Sequence[int], indices: Iterable[int] | None) -> Sequence[int]:
    """Return, for each instance of a rerun, its index in the first orchestration of the lineage.

    *parent_origins* are the same for the parent's instances; *indices* are the instances of the parent that
    ran again, or None for all of them. Both ascend, and so does the result.

    >>> origins([3, 5, 8], [0, 2])
    array('I', [3, 8])
    """
    return parent_origins if indices is None else array("I", (parent_origins[index] for index in indices))
