"""Params and results as JSON, and how large each may be."""

import json
from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_jsonable_python

from background_jobs.core.errors import InvalidParams, InvalidResult
from background_jobs.core.limits import INSTANCE_PARAMS_BYTES, JSON_DEPTH, RESULT_BYTES

TOO_DEEP: Final = f"objects and arrays are nested deeper than {JSON_DEPTH} levels"
INLINE_BYTES: Final = 24 * 1024
"""Params and results up to this size are kept in their event; larger ones go to the bucket by reference."""


def params_line(index: int, params: object) -> bytes:
    """Return *params*, a JSON object or a pydantic model, as one line of JSON.

    Raises InvalidParams, which names *index*.
    """
    if isinstance(params, BaseModel):
        params = params.model_dump(mode="json")
    if not isinstance(params, dict) or not all(isinstance(key, str) for key in params):
        raise InvalidParams(
            index,
            "they must be a JSON object (a dict with str keys, or a pydantic model), "
            f"not {_describe(params)}.",
        )
    try:
        line = _encoder.encode(params).encode() + b"\n"
    except (TypeError, ValueError, RecursionError) as reason:
        raise InvalidParams(index, f"they cannot be written as JSON: {reason}.") from reason
    if len(line) > INSTANCE_PARAMS_BYTES:
        raise InvalidParams(
            index,
            f"they are {len(line):,} bytes of JSON, and {INSTANCE_PARAMS_BYTES:,} is the most. "
            "Put the data into S3 and pass its key.",
        )
    if is_too_deep(params, line):
        raise InvalidParams(index, f"{TOO_DEEP}.")
    return line


def result_document(result: object) -> tuple[Any, bytes]:
    """Return *result* as JSON: as plain Python values, and as bytes.

    Raises InvalidResult if JSON cannot hold it, or if it is larger than RESULT_BYTES.
    """
    try:
        plain = to_jsonable_python(result)
        document = _encoder.encode(plain).encode()
    except (PydanticSerializationError, ValueError, RecursionError) as reason:
        raise InvalidResult(
            f"The result, {_describe(result)}, cannot be written as JSON: {reason}."
        ) from reason
    if len(document) > RESULT_BYTES:
        raise InvalidResult(
            f"The result is {len(document):,} bytes of JSON, and {RESULT_BYTES:,} is the most. "
            "Write the data to S3 and return its key."
        )
    if is_too_deep(plain, document):
        raise InvalidResult(f"The result, {_describe(result)}, is refused: {TOO_DEEP}.")
    return plain, document


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


def _describe(value: object) -> str:
    return f"{bounded(repr(value), 80)} ({type(value).__name__})"


def _containers_in(value: object) -> Iterator[object]:
    """Yield the objects and arrays that *value* directly holds."""
    if isinstance(value, dict | list | tuple):
        inner = value.values() if isinstance(value, dict) else value
        yield from (part for part in inner if isinstance(part, dict | list | tuple))
