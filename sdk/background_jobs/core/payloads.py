"""Params and results as JSON: what can be written and read back equal, and how large each may be."""

import json
from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, from_json, to_json, to_jsonable_python

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
        document = _encode(params)
        if from_json(document) != params:
            _refuse_equal_keys(document)
    except (TypeError, ValueError, RecursionError) as reason:
        raise InvalidParams(index, f"they cannot be written as JSON: {_explain(reason)}.") from reason
    line = document + b"\n"
    if len(line) > INSTANCE_PARAMS_BYTES:
        raise InvalidParams(
            index,
            f"they are {len(line):,} bytes of JSON, and {INSTANCE_PARAMS_BYTES:,} is the most. "
            "Put the data into S3 and pass its key.",
        )
    return line


def result_document(result: object) -> tuple[Any, bytes]:
    """Return *result* as JSON: as plain Python values, and as bytes.

    Raises InvalidResult if JSON cannot hold it, or if it is larger than RESULT_BYTES.
    """
    try:
        plain = to_jsonable_python(result)
        document = _encode(plain)
        if from_json(document) != result:
            _refuse_equal_keys(to_json(result))
    except (PydanticSerializationError, ValueError, RecursionError) as reason:
        raise InvalidResult(
            f"The result, {_describe(result)}, cannot be written as JSON: {_explain(reason)}."
        ) from reason
    if len(document) > RESULT_BYTES:
        raise InvalidResult(
            f"The result is {len(document):,} bytes of JSON, and {RESULT_BYTES:,} is the most. "
            "Write the data to S3 and return its key."
        )
    return plain, document


def plain_json(value: object) -> Any:  # noqa: ANN401 -- any JSON
    """Return *value* as its readers get it back from JSON. Raises ValueError, which says why it cannot be.

    >>> plain_json({"days": (1, 2)})
    {'days': [1, 2]}
    """
    try:
        plain = from_json(_encoder.encode(to_jsonable_python(value)).encode())
        if plain != value:
            _refuse_equal_keys(to_json(value))
    except (PydanticSerializationError, ValueError, RecursionError) as reason:
        raise ValueError(f"it cannot be written as JSON: {_explain(reason)}") from reason
    return plain


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


def _encode(plain: object) -> bytes:
    """Return *plain* as JSON. Raises TypeError, ValueError or RecursionError where that cannot be."""
    document = _encoder.encode(plain).encode()
    if is_too_deep(plain, document):
        raise ValueError(TOO_DEEP)
    return document


def _refuse_equal_keys(document: bytes) -> None:
    """Raise ValueError where two keys of one object became the same text, of which only one can be read."""

    def refuse(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names: set[str] = set()
        for name, _ in pairs:
            if name in names:
                raise ValueError(f"two keys of one dict are the same text, {bounded(repr(name), 80)}")
            names.add(name)
        return dict(pairs)

    json.loads(document, object_pairs_hook=refuse)


def _explain(reason: Exception) -> str:
    """Return why JSON could not be written; pydantic takes what is very deep for a circle."""
    is_deep = isinstance(reason, RecursionError) or "depth exceeded" in str(reason)
    return TOO_DEEP if is_deep else str(reason)


def _describe(value: object) -> str:
    try:
        text = bounded(repr(value), 80)
    except Exception as broken:  # noqa: BLE001 -- whatever its own `__repr__` raises; so does that of a huge int
        text = f"which cannot be shown ({type(broken).__name__})"
    return f"{text} ({type(value).__name__})"


def _containers_in(value: object) -> Iterator[object]:
    """Yield the objects and arrays that *value* directly holds."""
    if isinstance(value, dict | list | tuple):
        inner = value.values() if isinstance(value, dict) else value
        yield from (part for part in inner if isinstance(part, dict | list | tuple))
