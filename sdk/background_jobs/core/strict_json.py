"""JSON as people and programs send it, read without losing anything on the way."""

import json
from typing import Any, Final


def _to_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return *pairs* as a dict. Raises ValueError where a key comes twice, as a value would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in found if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} comes twice in one object")
    return found


JSON: Final = json.JSONDecoder(object_pairs_hook=_to_dict)
"""Reads what people and programs send."""


def read_json(content: bytes) -> Any:  # noqa: ANN401 -- any JSON
    """Return what *content* says. Raises JSONDecodeError, whose message says why it cannot be read.

    >>> read_json(b'{"n": 1}')
    {'n': 1}
    """
    try:
        return JSON.decode(content.decode(json.detect_encoding(content)))
    except json.JSONDecodeError:
        raise
    except UnicodeDecodeError as invalid:
        raise json.JSONDecodeError(f"byte {invalid.start} is not UTF-8", "", 0) from None
    except RecursionError:
        raise json.JSONDecodeError("it is nested too deep", "", 0) from None
    except ValueError as invalid:  # a key that comes twice, a number of too many digits
        raise json.JSONDecodeError(str(invalid).partition(";")[0], "", 0) from None
