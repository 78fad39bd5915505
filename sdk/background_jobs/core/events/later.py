"""Events of a later release: of a type, or of a version of its schema, that this release does not know."""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

SCHEMA_VERSION: Final = 1
"""The version of the schemas of all events that this release writes and reads."""
_NAME: Final = re.compile(r"[A-Z][A-Za-z0-9]{2,63}")
"""How types of events are named."""


class LaterEvent(NamedTuple):
    """What can be told of an event that a later release wrote."""

    type: str
    schema_version: int
    instance: int | None = None
    """The job instance of which it tells; None where it tells of none, or that is not known."""

    def __str__(self) -> str:
        return f"a later release wrote it: {self.type}, schema version {self.schema_version}"


def find_later(fields: object, known: Collection[str]) -> LaterEvent | None:
    """Return what can be told of an event whose JSON has *fields*; None where no later release wrote it.

    *known* are the types of events that there are.

    >>> find_later({"type": "JobPaused", "index": 3}, {"JobStarted"})
    LaterEvent(type='JobPaused', schema_version=1, instance=3)
    >>> find_later({"type": "JobStarted", "index": -3}, {"JobStarted"})
    """
    if not isinstance(fields, Mapping):
        return None
    type_, version, index = (fields.get(name) for name in ("type", "schema_version", "index"))
    version = SCHEMA_VERSION if version is None else version
    if not isinstance(type_, str) or not _NAME.fullmatch(type_) or not _is_natural(version):
        return None
    if type_ in known and version <= SCHEMA_VERSION:
        return None
    return LaterEvent(type_, version, index if _is_natural(index) else None)


def _is_natural(value: Any) -> bool:  # noqa: ANN401 -- any JSON
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
