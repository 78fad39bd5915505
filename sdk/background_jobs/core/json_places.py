"""Parts of a value, their places as `items[3].price`, and the place in which two values differ."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

_SHOWN_CHARACTERS: Final = 80
_CONTAINERS: Final = (dict, list, tuple, set, frozenset, BaseModel)


class Part(NamedTuple):
    """A part of a value, and where it is."""

    value: object
    step: str = ""
    """What its place adds to that of what holds it."""
    holder: "Part | None" = None
    """None for the value itself. Put together only when told: all places of a deep value are too much."""

    @property
    def name(self) -> str:
        """Return the place as it is told: `items[3].price`; empty for the value itself."""
        steps, part = [], self
        while part.holder:
            steps.append(part.step)
            part = part.holder
        place = "".join(reversed(steps)).removeprefix(".")
        return f"`{place}`" if place else ""

    @property
    def inner(self) -> "Iterator[Part]":
        """Yield the parts that it directly holds: entries, elements, or fields and private attributes."""
        for step, value in _entries(self.value):
            yield Part(value, step, self)


def describe(value: object) -> str:
    """Return *value* in a few words, with its type, whatever its `__repr__` does.

    >>> describe({"n": 1})
    "{'n': 1} (dict)"
    """
    return f"{show(value)} ({type(value).__name__})"


def show(value: object) -> str:
    """Return the `repr` of *value*, its middle cut where it is long, whatever its `__repr__` does."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 -- the code of whoever made the value
        return "an object"
    return _cut(text)


def show_json(value: object) -> str:
    """Return *value* as JSON, its middle cut where it is long; what is none is shown as Python has it.

    >>> show_json([None, True, "a"])
    '[null, true, "a"]'
    """
    try:
        return _cut(json.dumps(value, ensure_ascii=False))
    except (TypeError, ValueError, RecursionError):
        return show(value)


def _cut(text: str) -> str:
    if len(text) <= _SHOWN_CHARACTERS:
        return text
    return f"{text[: _SHOWN_CHARACTERS // 2]} ... {text[-_SHOWN_CHARACTERS // 2 :]}"


def walk(whole: Part) -> Iterator[Part]:
    """Yield *whole* and all that it holds, each container once."""
    seen, waiting = set(), [whole]
    while waiting:
        part = waiting.pop()
        yield part
        if is_container(part.value) and id(part.value) not in seen:
            seen.add(id(part.value))
            waiting.extend(reversed(list(part.inner)))


def is_container(value: object) -> bool:
    """Tell whether *value* has parts."""
    return isinstance(value, _CONTAINERS) or is_dataclass(value)


def is_dataclass(value: object) -> bool:
    """Tell whether *value* is an object of a dataclass."""
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def find_difference(given: Part, arrived: Part) -> tuple[Part, Part] | None:
    """Return the first parts in which *given* and *arrived* differ; None where all parts are equal."""
    if are_equal(given.value, arrived.value):
        return None
    if type(given.value) is type(arrived.value) and is_container(given.value):
        mine, theirs = list(given.inner), list(arrived.inner)
        if [part.step for part in mine] == [part.step for part in theirs]:
            return next(filter(None, map(find_difference, mine, theirs)), None)
    return given, arrived


def are_equal(one: Any, other: Any) -> bool:  # noqa: ANN401 -- whatever can be compared
    """Tell whether the two are equal, or the same moment; what cannot be compared is not."""
    try:
        return bool(one == other) or _are_same_moment(one, other)
    except Exception:  # noqa: BLE001 -- the code of whoever made the values
        return False


def _are_same_moment(one: object, other: object) -> bool:
    # In the hour that is repeated when summer time ends, no time equals one of another zone (PEP 495).
    if not (isinstance(one, datetime) and isinstance(other, datetime) and one.tzinfo and other.tzinfo):
        return False
    return one.astimezone(UTC) == other.astimezone(UTC)


def _entries(value: object) -> Iterator[tuple[str, object]]:
    """Yield the parts of *value*, each with what its place adds to that of *value*."""
    match value:
        case dict():
            for key, part in value.items():
                is_name = isinstance(key, str) and key.isidentifier()
                yield f".{key}" if is_name else f"[{show(key)}]", part
        case list() | tuple():
            yield from ((f"[{index}]", part) for index, part in enumerate(value))
        case set() | frozenset():
            yield from (("", part) for part in value)
        case _ if is_container(value):
            yield from ((f".{name}", part) for name, part in _fields(value).items())


def _fields(value: Any) -> Mapping[str, object]:  # noqa: ANN401 -- a model or an object of a dataclass
    if isinstance(value, BaseModel):
        return {**vars(value), **(value.__pydantic_extra__ or {}), **(value.__pydantic_private__ or {})}
    names = [field.name for field in dataclasses.fields(value)]
    return {name: getattr(value, name) for name in names if hasattr(value, name)}
