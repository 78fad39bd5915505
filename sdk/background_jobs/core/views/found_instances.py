"""Job instances that were found by their params, in whatever orchestration they ran."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from background_jobs.core.events import JobError
from background_jobs.core.views.instances import InstanceView


class FoundInstance(BaseModel):
    """A job instance with the params that were looked for."""

    orchestration_id: str
    started_at: datetime = Field(description="When the orchestration was kicked off.")
    tags: dict[str, str] = Field(description="Those of the orchestration.")
    instance: InstanceView
    params: dict[str, Any]
    error: JobError | None = Field(description="Why it errored; null unless it did.")


def has_params(params: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Tell whether *params* have every value that is *wanted*; of objects in it, the fields that it names.

    >>> has_params({"customer": "acme", "at": {"day": 1, "hour": 2}}, {"at": {"day": 1}})
    True
    >>> has_params({"n": 1}, {"n": "1"}), has_params({"n": 1}, {"n": True})
    (False, False)
    """
    return all(name in params and _is_same(params[name], value) for name, value in wanted.items())


def _is_same(value: object, wanted: object) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(value, Mapping) and has_params(value, wanted)
    return value == wanted and isinstance(value, bool) == isinstance(wanted, bool)
