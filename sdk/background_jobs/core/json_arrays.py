"""Cutting a JSON array into its elements without reading them, so that none can spoil the others."""

import re
from collections.abc import Iterator
from typing import Final

_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[\]{},]', re.DOTALL)
"""A string, or a character of the structure; a string without an end is taken whole, in one pass."""
_STEPS: Final = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}


def split_array(document: bytes) -> Iterator[bytes]:
    """Yield the elements of the array *document*, however deep they are; they need not be JSON themselves.

    Raises ValueError if *document* is no array from its beginning to its end.

    >>> list(split_array(b'[{"a": [1, 2]}, "]", 3]'))
    [b'{"a": [1, 2]}', b'"]"', b'3']
    """
    document = document.strip()
    if document[:1] != b"[":
        raise ValueError("it is no JSON array")
    depth, start = 0, 1
    for token in _TOKEN.finditer(document):
        depth += _STEPS.get(token.group(), 0)
        if (depth == 1 and token.group() == b",") or depth == 0:
            if element := document[start : token.start()].strip():
                yield element
            start = token.end()
        if depth == 0:
            break
    if depth or start != len(document):
        raise ValueError("it is no whole JSON array")
