"""Changing params by a JSON merge patch."""

from collections.abc import Mapping
from typing import Any


def merge_patch(params: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return *params* changed by *patch*: a value replaces the one before, null removes it, objects merge.

    Source: RFC 7396, JSON Merge Patch.

    >>> merge_patch({"a": 1, "b": {"c": 2, "d": 3}}, {"a": None, "b": {"c": 4}, "e": [5]})
    {'b': {'c': 4, 'd': 3}, 'e': [5]}
    """
    merged = dict(params)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            before = merged.get(name)
            merged[name] = merge_patch(before if isinstance(before, Mapping) else {}, value)
        else:
            merged[name] = value
    return merged
