"""Failures grouped by what caused them, so that 10,000 of them can be read."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from background_jobs.core.events import JobErrored
from background_jobs.core.wording import count_of

EXAMPLES: Final = 20
"""The most indices that a cause lists."""
MOST_COMMON: Final = 5
"""The most common params that a cause lists; the rarest come first."""
_LONGEST_VALUE: Final = 100
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
    count: int
    indices: list[int]
    """The first of the instances."""
    common: list[CommonParam] = Field(
        default=[],
        description="The params that all its failures share but not all instances do, the rarest first.",
    )


class FailureDigest(BaseModel):
    """The failures of an orchestration, grouped by cause."""

    model_config = ConfigDict(frozen=True)

    total: int = Field(description="How many instances the orchestration has.")
    failed: int
    causes: list[Cause] = Field(description="The most frequent first.")

    def __str__(self) -> str:
        parts = [f"{count_of(self.failed, 'failure')}, {count_of(len(self.causes), 'cause')}"]
        for number, cause in enumerate(self.causes, start=1):
            if cause.common:
                parts.append(f"cause {number} always has {', '.join(map(str, cause.common))}")
        return "; ".join(parts)


def group_by_cause(failures: Iterable[JobErrored]) -> list[Cause]:
    """Return the causes of *failures*, the most frequent first, without their common params."""
    return [_cause(group) for group in _groups(failures)]


def digest_failures(
    failures: Iterable[JobErrored], total: int, params: Callable[[], Iterable[tuple[int, Mapping[str, Any]]]]
) -> FailureDigest:
    """Return the digest of *failures* among *total* instances.

    *params* gives each index with its params; it is called twice, so that nothing is kept in memory.
    """
    groups = _groups(failures)
    shared = _find_shared(groups, params)
    having = Counter(
        pair
        for _, instance in params()
        for pair in _flatten(instance)
        if any(pair in pairs for pairs in shared)
    )
    causes = [
        _cause(group).model_copy(update={"common": _common(pairs, having, total)})
        for group, pairs in zip(groups, shared, strict=True)
    ]
    return FailureDigest(total=total, failed=sum(map(len, groups)), causes=causes)


_Pair = tuple[str, str]
"""A param's path, and its value as JSON."""


def _groups(failures: Iterable[JobErrored]) -> list[list[JobErrored]]:
    groups: dict[tuple[str, str, str], list[JobErrored]] = {}
    for failure in failures:
        error = failure.error
        key = (error.type, normalise_message(error.message), innermost_frame(error.traceback))
        groups.setdefault(key, []).append(failure)
    return sorted(groups.values(), key=lambda group: (-len(group), group[0].index))


def _cause(group: list[JobErrored]) -> Cause:
    first = group[0].error
    return Cause(
        type=first.type,
        message=first.message,
        place=innermost_frame(first.traceback),
        count=len(group),
        indices=[failure.index for failure in group[:EXAMPLES]],
    )


def _find_shared(
    groups: list[list[JobErrored]], params: Callable[[], Iterable[tuple[int, Mapping[str, Any]]]]
) -> list[set[_Pair]]:
    """Return the params that all failures of each group share; none for a group of one failure."""
    group_of = {failure.index: number for number, group in enumerate(groups) for failure in group}
    shared: dict[int, set[_Pair]] = {}
    for index, instance in params():
        if (number := group_of.get(index)) is not None and len(groups[number]) > 1:
            pairs = set(_flatten(instance))
            shared[number] = shared[number] & pairs if number in shared else pairs
    return [shared.get(number, set()) for number in range(len(groups))]


def _common(pairs: set[_Pair], having: Mapping[_Pair, int], total: int) -> list[CommonParam]:
    telling = sorted((pair for pair in pairs if having[pair] < total), key=lambda pair: (having[pair], pair))
    return [
        CommonParam(name=name, value=json.loads(value), instances=having[name, value])
        for name, value in telling[:MOST_COMMON]
    ]


def _flatten(params: Mapping[str, Any], prefix: str = "") -> Iterator[_Pair]:
    for name, value in params.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        elif not isinstance(value, list) and len(text := json.dumps(value)) <= _LONGEST_VALUE:
            yield prefix + name, text


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
