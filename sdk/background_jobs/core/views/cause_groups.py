"""Grouping failures by what caused them, and finding the params that those of a cause share."""

import json
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import nsmallest
from itertools import islice
from typing import Any, Final

from background_jobs.core.causes import MESSAGE_CHARACTERS, CauseKey
from background_jobs.core.events import JobAttemptFailed, JobErrored
from background_jobs.core.limits import PAGE
from background_jobs.core.payloads import bounded
from background_jobs.core.views.causes import EXAMPLES, MOST_TOLD_APART, Cause, CausePage, CommonParam
from background_jobs.core.views.page import token_of

MOST_COMMON: Final = 5
"""The most common params that a cause lists; the rarest come first."""
MOST_CHANCE: Final = 0.25
"""How likely it may be that as many instances, taken at random, have a param that is listed as common."""
_MOST_PARAMS: Final = 1_000
"""The params of one instance that are looked at."""
_LONGEST_PATH: Final = 200
_LONGEST_VALUE: Final = 100
_NO_GROUP: Final = -1


def group_failures(  # noqa: PLR0913 -- the failures, what is known of all, and the page
    failures: Iterable[JobErrored],
    total: int,
    params: Callable[[], Iterable[tuple[int, Mapping[str, Any]]]],
    *,
    retrying: Iterable[JobAttemptFailed] = (),
    is_repaired: Callable[[int], bool] = lambda _: False,
    position: int = 0,
    limit: int = PAGE,
) -> CausePage:
    """Return *limit* causes of *failures* among *total* instances, from the one at *position* on.

    *retrying* are the latest failed attempts of the instances that wait for another. *params* gives each
    index with its params; it is called up to twice, so that nothing is kept in memory. *is_repaired* tells of
    an index whether it has completed in a rerun. The time is linear in the failures and in the params.
    """
    grouping = _Grouping(total, is_repaired)
    for failure in failures:
        grouping.add(failure)
    for attempt in retrying:
        grouping.add(attempt)
    frequent = grouping.frequent(position + limit)[position:]
    shared = _find_shared(frequent, grouping, params)
    candidates = set[_Pair]().union(*shared.values())
    having = Counter(
        pair
        for _, instance in (params() if candidates else ())
        for pair in _flatten(instance)
        if pair in candidates
    )
    following = position + limit
    return CausePage(
        items=[
            group.cause(_common(group.instances, shared.get(group.number, set()), having, total))
            for group in frequent
        ],
        next_token=token_of(following if following < len(grouping.groups) else None),
        total=total,
        failed=grouping.failed,
        retrying=grouping.retrying,
        causes=len(grouping.groups),
    )


_Pair = tuple[str, str]
"""A param's path, and its value as JSON."""


@dataclass(slots=True)
class _Group:
    """Failures of one cause."""

    number: int
    key: CauseKey
    message: str
    count: int = 0
    retrying: int = 0
    repaired: int = 0
    indices: list[int] = field(default_factory=list)

    @property
    def instances(self) -> int:
        """Return how many instances are in the group."""
        return self.count + self.retrying

    def cause(self, common: list[CommonParam]) -> Cause:
        """Return the cause, whose failures have *common* in common."""
        return Cause(
            cause_id=self.key.id,
            type=self.key.type,
            message=self.message,
            place=self.key.place,
            count=self.count,
            retrying=self.retrying,
            repaired=self.repaired,
            indices=self.indices,
            common=common,
        )


class _Grouping:
    """Failures in groups by cause; the memory that it takes does not grow with the failures' texts."""

    def __init__(self, total: int, is_repaired: Callable[[int], bool]) -> None:
        self.groups: dict[CauseKey, _Group] = {}
        self.failed = self.retrying = 0
        self._is_repaired = is_repaired
        self._group_of = array("i", [_NO_GROUP]) * total

    def add(self, failure: JobErrored | JobAttemptFailed) -> None:
        gave_up = isinstance(failure, JobErrored)
        self.failed += gave_up
        self.retrying += not gave_up
        key = CauseKey.of(failure.error)
        group = self.groups.get(key)
        if group is None:
            if len(self.groups) == MOST_TOLD_APART:
                return
            message = bounded(failure.error.message, MESSAGE_CHARACTERS)
            group = self.groups[key] = _Group(len(self.groups), key, message)
        group.count += gave_up
        group.retrying += not gave_up
        group.repaired += self._is_repaired(failure.index)
        if len(group.indices) < EXAMPLES:
            group.indices.append(failure.index)
        self._group_of[failure.index] = group.number

    def group_of(self, index: int) -> int:
        """Return the number of the group that instance *index* is in."""
        return self._group_of[index]

    def frequent(self, count: int) -> list[_Group]:
        """Return up to *count* groups, the most frequent first."""
        return nsmallest(count, self.groups.values(), key=lambda group: (-group.instances, group.indices[0]))


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


def _common(instances: int, pairs: set[_Pair], having: Mapping[_Pair, int], total: int) -> list[CommonParam]:
    """Return the *pairs* that *instances* share and hardly would by chance."""
    telling = sorted(
        (pair for pair in pairs if (having[pair] / total) ** instances <= MOST_CHANCE),
        key=lambda pair: (having[pair], pair),
    )
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
