"""Failures grouped by what caused them, so that 10,000 of them can be read."""

import re
from collections.abc import Iterable
from typing import Final

from pydantic import BaseModel, ConfigDict

from background_jobs.core.events import JobErrored

EXAMPLES: Final = 20
"""Indices that a cause names."""
_VARIABLE: Final = re.compile(r"0x[0-9a-fA-F]+|[0-9a-f]{8}-[0-9a-f-]{27}|\d+|'[^']*'|\"[^\"]*\"")
_FRAME: Final = re.compile(r'^  File "([^"]+)", line (\d+), in (.+)$', re.MULTILINE)


class Cause(BaseModel):
    """What some failures have in common: type, message but for its values, and place."""

    model_config = ConfigDict(frozen=True)

    type: str
    message: str
    """The first of the messages."""
    place: str
    """The innermost frame of the traceback, ``file:line in function``; empty where there is none."""
    count: int
    indices: list[int]
    """The first of the instances."""


def causes_of(failures: Iterable[JobErrored]) -> list[Cause]:
    """Return the causes of *failures*, the most frequent first."""
    groups: dict[tuple[str, str, str], list[JobErrored]] = {}
    for failure in failures:
        error = failure.error
        key = (error.type, normalised(error.message), innermost_frame(error.traceback))
        groups.setdefault(key, []).append(failure)
    causes = [
        Cause(
            type=kind,
            message=group[0].error.message,
            place=place,
            count=len(group),
            indices=[failure.index for failure in group[:EXAMPLES]],
        )
        for (kind, _, place), group in groups.items()
    ]
    return sorted(causes, key=lambda cause: (-cause.count, cause.indices[0]))


def normalised(message: str) -> str:
    """Return *message* without what differs between instances: numbers, ids and quoted values.

    >>> normalised("customer 'acme' has 3 orders")
    'customer … has … orders'
    """
    return _VARIABLE.sub("…", message)


def innermost_frame(traceback: str) -> str:
    """Return the last place that *traceback* names.

    >>> innermost_frame('  File "jobs.py", line 3, in run')
    'jobs.py:3 in run'
    """
    frames = _FRAME.findall(traceback)
    return "{}:{} in {}".format(*frames[-1]) if frames else ""
