"""Params and results as JSON: what can be written and read back equal, and how large each may be."""

import json
from collections.abc import Iterator
from typing import Any, Final

from pydantic_core import from_json, to_jsonable_python

from background_jobs.core.canonical import sort_sets
from background_jobs.core.errors import InvalidParams, InvalidResult
from background_jobs.core.json_faults import (
    AN_ITERATOR,
    explain_unwritable,
    find_key_that_is_no_text,
    find_loss,
)
from background_jobs.core.json_places import describe
from background_jobs.core.limits import INSTANCE_PARAMS_BYTES, JSON_DEPTH, RESULT_BYTES

TOO_DEEP: Final = f"objects and arrays are nested deeper than {JSON_DEPTH} levels"
INLINE_BYTES: Final = 24 * 1024
"""Params and results up to this size are kept in their event; larger ones go to the bucket by reference."""


def params_line(index: int, params: object) -> bytes:
    """Return *params*, a JSON object, as one line of JSON.

    Raises InvalidParams, which names *index*, and the place in them that is at fault.
    """
    if not isinstance(params, dict) or not all(isinstance(key, str) for key in params):
        raise InvalidParams(
            index,
            "they must be a JSON object (a dict with str keys, or a pydantic model), "
            f"not {describe(params)}.",
        )
    try:
        line = _encode(params) + b"\n"
    except Exception as reason:
        why = explain_unwritable(params, _encode, reason)
        raise InvalidParams(index, f"they cannot be written as JSON: {why}.") from reason
    if len(line) > INSTANCE_PARAMS_BYTES:
        raise InvalidParams(
            index,
            f"they are {len(line):,} bytes of JSON, and {INSTANCE_PARAMS_BYTES:,} is the most. "
            "Put the data into S3 and pass its key.",
        )
    # Keys of the outermost object are text, as was checked above; and what reads back equal needs no search.
    if line.count(b"{") > 1 and from_json(line) != params and (fault := find_key_that_is_no_text(params)):
        raise InvalidParams(index, f"{fault}.")
    return line


def result_document(result: object) -> tuple[Any, bytes]:
    """Return *result* as JSON: as plain Python values, and as bytes.

    Models are written by the aliases of their fields, and keys as text, as pydantic does.

    Raises InvalidResult, which names the place in it that is at fault, if JSON cannot hold it, or if it is
    larger than RESULT_BYTES.
    """
    if isinstance(result, Iterator):  # it may have no end
        raise InvalidResult(f"The result, {describe(result)}, is refused: {AN_ITERATOR}.")
    try:
        plain, document = _write(result)
    except ValueError as reason:
        raise InvalidResult(f"The result, {describe(result)}, {reason}.") from reason
    if len(document) > RESULT_BYTES:
        raise InvalidResult(
            f"The result is {len(document):,} bytes of JSON, and {RESULT_BYTES:,} is the most. "
            "Write the data to S3 and return its key."
        )
    if fault := find_loss(result, plain):
        raise InvalidResult(f"The result, {describe(result)}, is refused: {fault}.")
    return plain, document


def plain_json(value: object) -> Any:  # noqa: ANN401 -- any JSON
    """Return *value* as its readers get it back from JSON. Raises ValueError, which says why it cannot be.

    >>> plain_json({"days": (1, 2)})
    {'days': [1, 2]}
    """
    plain, document = _write(value)
    if fault := find_loss(value, plain):
        raise ValueError(fault)
    return sort_sets(value, from_json(document))


def is_too_deep(value: object, document: bytes) -> bool:
    """Tell whether *value*, whose JSON is *document*, is nested so deep that its event cannot be read back.

    Such an event would take with it all that is in the same block.
    """
    if document.count(b"[") + document.count(b"{") <= JSON_DEPTH:
        return False
    level = [value]
    for _ in range(JSON_DEPTH):
        level = [inner for outer in level for inner in _containers_in(outer)]
    return bool(level)


def fits_event(document: bytes) -> bool:
    """Tell whether *document*, params as JSON, may be a part of an event; else it is kept by reference.

    Params of earlier releases may be nested deeper than what is accepted now.
    """
    return len(document) <= INLINE_BYTES and document.count(b"[") + document.count(b"{") <= JSON_DEPTH


def bounded(text: str, limit: int) -> str:
    r"""Return *text*, or its two ends around a note of how much was cut, about *limit* characters in all.

    >>> bounded("abcdefghij", 4)
    'ab\n... 6 characters cut ...\nij'
    """
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n... {len(text) - 2 * half:,} characters cut ...\n{text[-half:]}"


def storable(text: str) -> str:
    r"""Return *text* with every character escaped that UTF-8 cannot hold, as in names of files.

    >>> storable("caf\udce9")
    'caf\\udce9'
    """
    return text.encode("utf-8", "backslashreplace").decode()


_encoder: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _write(value: object) -> tuple[Any, bytes]:
    """Return *value* as plain Python values and as JSON. Raises ValueError, which says why and where not."""
    try:
        plain = _to_plain(value)
        return plain, _encode(plain)
    except Exception as reason:
        why = explain_unwritable(value, lambda part: _encode(_to_plain(part)), reason)
        raise ValueError(f"cannot be written as JSON: {why}") from reason


def _encode(plain: object) -> bytes:
    """Return *plain* as JSON. Raises TypeError or ValueError where that cannot be."""
    try:
        document = _encoder.encode(plain).encode()
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    if is_too_deep(plain, document):
        raise ValueError(TOO_DEEP)
    return document


def _to_plain(value: object) -> Any:  # noqa: ANN401 -- any JSON
    try:
        return to_jsonable_python(value)
    except ValueError as reason:
        # pydantic takes what is very deep for a circle.
        if "depth exceeded" in str(reason):
            raise ValueError(TOO_DEEP) from reason
        raise


def _containers_in(value: object) -> Iterator[object]:
    """Yield the objects and arrays that *value* directly holds."""
    if isinstance(value, dict | list | tuple):
        inner = value.values() if isinstance(value, dict) else value
        yield from (part for part in inner if isinstance(part, dict | list | tuple))
