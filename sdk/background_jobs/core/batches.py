"""Params objects of several items each, for jobs whose single items are too short for an instance."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any


def batched(items: Iterable[Any], size: int, name: str, /, **others: object) -> Iterator[dict[str, Any]]:
    """Return params objects that have up to *size* of *items* each, as *name*, beside *others*.

    They are made while they are read, so *items* may be more than fit into memory. Raises ValueError if
    *size* is below 1, or if *others* has *name*.

    >>> list(batched(range(5), 2, "ids", source="old"))
    [{'ids': [0, 1], 'source': 'old'}, {'ids': [2, 3], 'source': 'old'}, {'ids': [4], 'source': 'old'}]
    """
    if size < 1:
        raise ValueError(f"size={size} must be 1 or more: it is how many items an instance gets")
    if name in others:
        raise ValueError(f"{name!r} is the param that has the items, so it cannot be another one, too")
    return _batch(iter(items), size, name, others)


def _batch(items: Iterator[Any], size: int, name: str, others: dict[str, object]) -> Iterator[dict[str, Any]]:
    while batch := list(islice(items, size)):
        yield {name: batch, **others}
