"""One form for all JSON that is equal, by which a second kick-off under the same key is compared."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final

from pydantic import BaseModel, RootModel
from pydantic_core import to_jsonable_python

_encoder: Final = json.JSONEncoder(sort_keys=True, allow_nan=False, separators=(",", ":"))


def canonical_json(value: object) -> bytes:
    """Return JSON values, whose keys are all str, as bytes that are the same whatever the order of the keys.

    >>> canonical_json({"b": [1], "a": 2.0})
    b'{"a":2.0,"b":[1]}'
    """
    return _encoder.encode(value).encode()


def sort_sets(value: object, plain: object) -> Any:  # noqa: ANN401 -- any JSON
    """Return *plain*, which is *value* as JSON, with the items of each set sorted.

    A set has another order in every process. What a serializer of the caller's own made of one is left alone.

    >>> sort_sets({"numbers": {8, 1}}, {"numbers": [8, 1]})
    {'numbers': [1, 8]}
    """
    if isinstance(value, RootModel):
        return sort_sets(value.root, plain)
    if isinstance(plain, dict):
        parts = dict(_parts(value))
        return {name: sort_sets(parts.get(name), part) for name, part in plain.items()}
    if not isinstance(plain, list) or not isinstance(value, list | tuple | set | frozenset):
        return plain
    items = [sort_sets(*pair) for pair in zip(value, plain, strict=False)]
    if len(items) != len(plain):
        return plain
    is_set = isinstance(value, set | frozenset) and to_jsonable_python(value) == plain
    return sorted(items, key=canonical_json) if is_set else items


def _parts(value: object) -> Iterator[tuple[str, object]]:
    """Yield the parts of an object of JSON under each name that they may have there."""
    if isinstance(value, BaseModel):
        for name, part in value:
            field = type(value).model_fields.get(name)
            yield name, part
            yield (field and field.serialization_alias) or name, part
    elif is_dataclass(value):
        for attribute in fields(value):
            yield attribute.name, getattr(value, attribute.name, None)
    elif isinstance(value, Mapping):
        for name, part in value.items():
            yield str(name), part
