"""What JSON cannot hold of a value, with its place, in words for whoever made the value."""

from collections.abc import Callable, Iterator
from math import isfinite
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python

from background_jobs.core.json_places import Part, are_equal, describe, is_container, walk

AN_ITERATOR: Final = "it is an iterator, which can be read only once: make a list of it"
_NEVER_LOST: Final = frozenset((str, int, bool, type(None)))
_ANY: Final[TypeAdapter[Any]] = TypeAdapter(Any)


def explain_unwritable(value: object, write: Callable[[object], object], reason: Exception) -> str:
    """Return why *write* refuses *value*, with the place of the part that is at fault; else *reason*."""
    try:
        parts = list(walk(Part(_unfold(value))))
    except Exception:  # noqa: BLE001 -- a serializer of whoever made the value: it is the reason
        return str(reason)
    for part in parts:
        for sample in _samples(part.value):
            try:
                write(sample)
            except Exception as fault:  # noqa: BLE001 -- see above
                return f"{_before(part)}{fault}"
    return str(reason)


def find_key_that_is_no_text(params: object) -> str | None:
    """Return a sentence on the first key in *params* that is no text, and would become it; or None."""
    for part in walk(Part(params)):
        for key in _keys(part.value):
            if not isinstance(key, str):
                return f"{_before(part)}the key {describe(key)} is no text, and would arrive as text"
    return None


def find_loss(result: object, plain: object) -> str | None:
    """Return a sentence on what is lost of *result* in *plain*, which pydantic made of it, or None.

    Two keys can be the same text, and a model writes None for a number that is none. Types may change. What
    an iterator yields is gone once it is written, so nothing can tell what was lost of it.
    """
    # Comparing is done in C and tells of most results; to search without places is far faster than with them.
    if are_equal(result, plain) or are_equal(written := _unfold(result), plain) or not _may_lose(written):
        return None
    for part in walk(Part(written)):
        if is_no_number(part.value):
            return f"{_before(part)}{explain_no_number(part.value)}"
        if isinstance(part.value, Iterator):
            return f"{_before(part)}{AN_ITERATOR}"
        if fault := _find_collision(part.value):
            return f"{_before(part)}{fault}"
    return None


def is_no_number(value: object) -> bool:
    """Tell whether *value* is NaN or infinite, which pydantic writes as null."""
    return isinstance(value, float) and not isfinite(value)


def explain_no_number(value: object) -> str:
    """Return why such a *value* is refused, to follow its place."""
    return f"{value} is no number in JSON, use None or text"


def _may_lose(written: object) -> bool:
    waiting = [written]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Iterator) or is_no_number(part):
            return True
        if isinstance(part, dict) and not all(isinstance(key, str) for key in part):
            return True
        if isinstance(part, dict | list | tuple | set | frozenset):
            inner = part.values() if isinstance(part, dict) else part
            waiting.extend(value for value in inner if type(value) not in _NEVER_LOST)
    return False


def _find_collision(value: object) -> str | None:
    by_text: dict[str, object] = {}
    if not all(isinstance(key, str) for key in _keys(value)):
        for key in _keys(value):
            (text,) = to_jsonable_python({key: None})
            if text in by_text:
                return f"the keys {describe(by_text[text])} and {describe(key)} are the same in JSON"
            by_text[text] = key
    return None


def _unfold(value: object) -> object:
    """Return *value* with models as the dicts that are written of them; all else is as it was."""
    return _ANY.dump_python(value, by_alias=True, warnings="none")


def _keys(value: object) -> Iterator[Any]:
    return iter(value if isinstance(value, dict) else ())


def _samples(value: object) -> Iterator[object]:
    """Yield what may be refused of *value* alone: its keys, or itself where it has no parts."""
    if isinstance(value, dict):
        yield from ({key: None} for key in value)
    elif not is_container(value):
        yield value


def _before(part: Part) -> str:
    return f"{name}: " if (name := part.name) else ""
