"""Indices of instances as people write them, `0-99,250`, and as they are kept."""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Final

from background_jobs.core import limits
from background_jobs.core.json_places import show
from background_jobs.core.ranges import InclusiveRange

_MOST: Final = limits.INSTANCES
_RANGE: Final = re.compile(r"\s*([0-9]{1,18})\s*(?:-\s*([0-9]{1,18})\s*)?")


def parse_ranges(text: str) -> list[InclusiveRange]:
    """Return the ranges that *text* names, in order and without overlaps. Raises ValueError.

    >>> [str(part) for part in parse_ranges("250, 0-99, 50-120")]
    ['0-120', '250-250']
    """
    merged: list[InclusiveRange] = []
    for part in sorted(map(_parse_range, text.split(","))):
        if merged and part.first <= merged[-1].last + 1:
            merged[-1] = InclusiveRange(merged[-1].first, max(merged[-1].last, part.last))
        else:
            merged.append(part)
    return merged


def write_ranges(indices: Iterable[int]) -> str:
    """Return *indices*, which ascend, as text.

    >>> write_ranges([0, 1, 2, 7])
    '0-2,7'
    """
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in _ranges(indices))


def to_ranges(indices: object) -> object:
    """Return *indices* as text where they are whole numbers, and text as it is. Raises ValueError.

    >>> to_ranges([3, 1, 2]), to_ranges(7), to_ranges("0-99")
    ('1-3', '7', '0-99')
    """
    if isinstance(indices, str | bytes):
        return indices
    if isinstance(indices, range) and indices[_MOST:]:
        raise ValueError(f"indices: {show(indices)} has more than {_MOST:,}, the most that there can be")
    numbers: list[Any] = list(indices) if isinstance(indices, Iterable) else [indices]
    for number in numbers:
        if type(number) is not int or number < 0:
            raise ValueError(_explain(number))
    return write_ranges(sorted(set(numbers)))


def _ranges(indices: Iterable[int]) -> Iterator[tuple[int, int]]:
    for _, run in groupby(enumerate(indices), key=lambda pair: pair[1] - pair[0]):
        numbers = [number for _, number in run]
        yield numbers[0], numbers[-1]


def _parse_range(text: str) -> InclusiveRange:
    found = _RANGE.fullmatch(text)
    if found is None:
        raise ValueError(_explain(text))
    first, last = int(found[1]), int(found[2] or found[1])
    if last < first:
        raise ValueError(f"indices: {text.strip()} ends before it begins")
    return InclusiveRange(first, last)


def _explain(part: object) -> str:
    return f"indices: {show(part)} is neither an index nor a range; write them as 0-99,250"
