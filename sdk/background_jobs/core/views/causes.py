"""Failures grouped by what caused them, so that 10,000 of them can be read."""

import json
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import nsmallest
from itertools import islice
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from background_jobs.core.events import JobAttemptFailed, JobError, JobErrored
from background_jobs.core.payloads import bounded
from background_jobs.core.views.html_tables import ROWS, table, titled_table
from background_jobs.core.wording import count_of

EXAMPLES: Final = 20
"""The most indices that a cause lists."""
MOST_COMMON: Final = 5
"""The most common params that a cause lists; the rarest come first."""
MOST_CAUSES: Final = 100
"""The most causes that a digest lists; it counts the others."""
_MOST_TOLD_APART: Final = 5_000
_MESSAGE_CHARACTERS: Final = 1_000
_LINE_CHARACTERS: Final = 300
_MOST_PARAMS: Final = 1_000
"""The params of one instance that are looked at."""
_LONGEST_PATH: Final = 200
_LONGEST_VALUE: Final = 100
_NO_GROUP: Final = -1
_VARIABLE: Final = re.compile(r"0x[0-9a-fA-F]+|[0-9a-f]{8}-[0-9a-f-]{27}|\d+|'[^']*'|\"[^\"]*\"")
_FRAME: Final = re.compile(r'^  File "([^"]+)", line (\d+), in (.+)$', re.MULTILINE)


class CommonParam(BaseModel):
    """A param that has the same value in every failure of a cause."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="Its name; where it is nested, a path with dots.")
    value: str | int | float | bool | None
    instances: int = Field(description="How many instances of the orchestration have it, failed or not.")

    def __str__(self) -> str:
        return f"{self.name}={self.value if isinstance(self.value, str) else json.dumps(self.value)}"


class Cause(BaseModel):
    """A group of failures with the same error type, message (apart from values in it) and place."""

    model_config = ConfigDict(frozen=True)

    type: str
    message: str
    """The first of the messages."""
    place: str
    """The innermost frame of the traceback, ``file:line in function``; empty where there is none."""
    count: int = Field(description="How many instances gave up for it.")
    retrying: int = Field(
        default=0, description="How many further instances failed for it, and wait for their next attempt."
    )
    indices: list[int]
    """The first of the instances, those that gave up before those that are retrying."""
    common: list[CommonParam] = Field(
        default=[],
        description="The params that all its failures share but not all instances do, the rarest first.",
    )

    def described(self) -> str:
        """Return its type and its message in a line of some hundred characters."""
        return bounded(f"{self.type}: {self.message}", _LINE_CHARACTERS)


class FailureDigest(BaseModel):
    """The failures of an orchestration, grouped by cause."""

    model_config = ConfigDict(frozen=True)

    total: int = Field(description="How many instances the orchestration has.")
    failed: int
    retrying: int = Field(
        default=0, description="How many instances failed, and wait for their next attempt."
    )
    causes: list[Cause] = Field(description=f"The most frequent first; {MOST_CAUSES} at most.")
    more_causes: int = Field(
        default=0,
        description="How many further causes there are, none of them more frequent. "
        f"At most {_MOST_TOLD_APART:,} causes are told apart in all.",
    )

    def __repr__(self) -> str:
        return f"<FailureDigest: {bounded(str(self), _MESSAGE_CHARACTERS)}>"

    def _repr_html_(self) -> str:
        shown = self.causes[:ROWS]
        rows = [
            (f"{cause.count:,}", cause.described(), ", ".join(map(str, cause.common)), cause.place)
            for cause in shown
        ]
        title = f"{count_of(self.failed, 'failure')} of {count_of(self.total, 'instance')}"
        left = len(self.causes) + self.more_causes - len(shown)
        return titled_table(
            title, table(("count", "cause", "params in common", "place"), rows), left, "cause"
        )

    def __str__(self) -> str:
        cause_count = len(self.causes) + self.more_causes
        retrying = f" and {self.retrying:,} retrying" if self.retrying else ""
        parts = [f"{count_of(self.failed, 'failure')}{retrying}, {count_of(cause_count, 'cause')}"]
        for number, cause in enumerate(self.causes, start=1):
            if cause.common:
                parts.append(f"cause {number} always has {', '.join(map(str, cause.common))}")
        return "; ".join(parts)


def digest_failures(
    failures: Iterable[JobErrored],
    total: int,
    params: Callable[[], Iterable[tuple[int, Mapping[str, Any]]]],
    retrying: Iterable[JobAttemptFailed] = (),
) -> FailureDigest:
    """Return the digest of *failures* among *total* instances.

    *retrying* are the latest failed attempts of the instances that wait for another. *params* gives each
    index with its params; it is called up to twice, so that nothing is kept in memory.
    The time is linear in the failures and in the params.
    """
    grouping = _Grouping(total)
    for failure in failures:
        grouping.add(failure)
    for attempt in retrying:
        grouping.add(attempt)
    frequent = grouping.frequent(MOST_CAUSES)
    shared = _find_shared(frequent, grouping, params)
    candidates = set[_Pair]().union(*shared.values())
    having = Counter(
        pair
        for _, instance in (params() if candidates else ())
        for pair in _flatten(instance)
        if pair in candidates
    )
    return FailureDigest(
        total=total,
        failed=grouping.failed,
        retrying=grouping.retrying,
        causes=[_cause(group, _common(shared.get(group.number, set()), having, total)) for group in frequent],
        more_causes=len(grouping.groups) - len(frequent),
    )


_Pair = tuple[str, str]
"""A param's path, and its value as JSON."""


@dataclass(slots=True)
class _Group:
    """Failures of one cause."""

    number: int
    first: JobError
    count: int = 0
    retrying: int = 0
    indices: list[int] = field(default_factory=list)

    @property
    def instances(self) -> int:
        """Return how many instances are in the group."""
        return self.count + self.retrying


class _Grouping:
    """Failures in groups by cause; the memory that it takes does not grow with the failures' texts."""

    def __init__(self, total: int) -> None:
        self.groups: dict[tuple[str, str, str], _Group] = {}
        self.failed = self.retrying = 0
        self._group_of = array("i", [_NO_GROUP]) * total

    def add(self, failure: JobErrored | JobAttemptFailed) -> None:
        error, gave_up = failure.error, isinstance(failure, JobErrored)
        self.failed += gave_up
        self.retrying += not gave_up
        message = bounded(error.message, _MESSAGE_CHARACTERS)
        key = (error.type, normalise_message(message), innermost_frame(error.traceback))
        group = self.groups.get(key)
        if group is None:
            if len(self.groups) == _MOST_TOLD_APART:
                return
            first = JobError(type=error.type, message=message, traceback=key[2])
            group = self.groups[key] = _Group(len(self.groups), first)
        group.count += gave_up
        group.retrying += not gave_up
        if len(group.indices) < EXAMPLES:
            group.indices.append(failure.index)
        self._group_of[failure.index] = group.number

    def group_of(self, index: int) -> int:
        """Return the number of the group that instance *index* is in."""
        return self._group_of[index]

    def frequent(self, count: int) -> list[_Group]:
        """Return up to *count* groups, the most frequent first."""
        return nsmallest(count, self.groups.values(), key=lambda group: (-group.instances, group.indices[0]))


def _cause(group: _Group, common: list[CommonParam]) -> Cause:
    return Cause(
        type=group.first.type,
        message=group.first.message,
        place=group.first.traceback,
        count=group.count,
        retrying=group.retrying,
        indices=group.indices,
        common=common,
    )


def _find_shared(
    groups: Iterable[_Group],
    grouping: _Grouping,
    params: Callable[[], Iterable[tuple[int, Mapping[str, Any]]]],
) -> dict[int, set[_Pair]]:
    """Return, by its number, the params that all failures of a group share; none for a group of one."""
    several = {group.number for group in groups if group.instances > 1}
    shared: dict[int, set[_Pair]] = {}
    for index, instance in params() if several else ():
        number = grouping.group_of(index)
        # What a group has no longer in common needs no further look.
        if number in several and shared.get(number) != set():
            pairs = set(_flatten(instance))
            shared[number] = shared[number] & pairs if number in shared else pairs
    return shared


def _common(pairs: set[_Pair], having: Mapping[_Pair, int], total: int) -> list[CommonParam]:
    telling = sorted((pair for pair in pairs if having[pair] < total), key=lambda pair: (having[pair], pair))
    return [
        CommonParam(name=name, value=json.loads(value), instances=having[name, value])
        for name, value in telling[:MOST_COMMON]
    ]


def _flatten(params: Mapping[str, Any]) -> Iterator[_Pair]:
    """Yield the first params of an instance; those of objects in it by their paths."""
    return islice(_walk(params, ""), _MOST_PARAMS)


def _walk(params: Mapping[str, Any], prefix: str) -> Iterator[_Pair]:
    for name, value in params.items():
        path = prefix + name
        if len(path) > _LONGEST_PATH:
            continue
        if isinstance(value, Mapping):
            yield from _walk(value, f"{path}.")
        elif not isinstance(value, list) and len(text := json.dumps(value)) <= _LONGEST_VALUE:
            yield path, text


def normalise_message(message: str) -> str:
    """Return *message* without the values that differ between instances: numbers, ids and quoted texts.

    >>> normalise_message("customer 'acme' has 3 orders")
    'customer … has … orders'
    """
    return _VARIABLE.sub("…", message)


def innermost_frame(traceback: str) -> str:
    """Return the innermost place that *traceback* names; empty if it names none.

    >>> innermost_frame('  File "jobs.py", line 3, in run')
    'jobs.py:3 in run'
    """
    frames = _FRAME.findall(traceback)
    return "{}:{} in {}".format(*frames[-1]) if frames else ""
