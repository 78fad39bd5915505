"""Params and the JSON Schema that their job publishes: what does not fit it, and texts as its types."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

Schema = Mapping[str, Any]
_Error = Any
"""A ValidationError of jsonschema, whose types allow that each part of it is unset."""
_KINDS: Final = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}


ANY_OBJECT: Final[Schema] = {"type": "object"}
"""The schema of params of which nothing is known."""


class Misfit(NamedTuple):
    """A place in params that does not fit, and why."""

    field: str
    """``customer``, ``items[2].price``; empty for the params as a whole."""
    message: str


def find_misfits(schema: Schema, objects: Iterable[object]) -> Iterator[list[Misfit]]:
    """Yield, for each of *objects*, what does not fit *schema*, in the order of the fields.

    A schema that is none, or that refers to another document, is not held against anybody: the job validates
    its params anyway. Nothing is fetched from anywhere.
    """
    # A tenth of a second that only checks need.
    from jsonschema import Draft202012Validator, SchemaError  # noqa: PLC0415
    from referencing import Registry  # noqa: PLC0415
    from referencing.exceptions import Unresolvable  # noqa: PLC0415

    checker = Draft202012Validator.FORMAT_CHECKER
    validator = Draft202012Validator(schema, registry=Registry(), format_checker=checker)
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError:
        validator = Draft202012Validator(ANY_OBJECT)
    for one in objects:
        try:
            yield sorted({misfit for error in validator.iter_errors(one) for misfit in _explain(error)})
        except Unresolvable:
            yield []


def read_text(schema: Schema | None, name: str, text: str) -> Any:  # noqa: ANN401 -- JSON
    """Return the value that *text* stands for, as the type that *schema* has for the param *name*.

    Where that may be text, it is text, unless it is JSON of another type that it may be as well. Without a
    schema, numbers, true, false, null, objects and lists are read as JSON, and everything else is text.

    >>> read_text({"properties": {"zip": {"type": "string"}}}, "zip", "01067")
    '01067'
    >>> read_text(None, "n", "3"), read_text(None, "name", "acme")
    (3, 'acme')
    """
    types = _types_of(schema, name)
    if types == {"string"}:
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text if "string" in types and _type_of(value) not in types else value


def read_texts(schema: Schema | None, texts: Mapping[str, str]) -> dict[str, Any]:
    """Return params all of whose values are text as *schema* has them.

    >>> read_texts({"properties": {"n": {"type": "integer"}}}, {"n": "8", "zip": "01067"})
    {'n': 8, 'zip': '01067'}
    """
    return {name: read_text(schema, name, text) for name, text in texts.items()}


def find_unknown(schema: Schema | None, names: Iterable[str]) -> list[str]:
    """Return those of *names* that no param has; none where the schema has no params or allows others.

    >>> find_unknown({"properties": {"copies": {}}}, ["copies", "copys"])
    ['copys']
    """
    parts = list(_walk(schema or {}, schema or {}))
    known = {name for part in parts for name in part.get("properties", {})}
    is_open = any(part.get("additionalProperties") or "patternProperties" in part for part in parts)
    return [] if is_open or not known else [name for name in names if name not in known]


def name_types(schema: Schema, name: str) -> str:
    """Return the types that a param may have, in words: ``a whole number or null``."""
    types = _types_of(schema, name)
    if "number" in types:
        types -= {"integer"}
    return " or ".join(words for kind, words in _KINDS.items() if kind in types)


def _types_of(schema: Schema | None, name: str) -> frozenset[str]:
    """Return the types that a param may have; all but text where the schema does not say."""
    root = schema or {}
    fields = (part["properties"][name] for part in _walk(root, root) if name in part.get("properties", {}))
    found = frozenset(kind for field in fields for kind in _walk_types(root, field))
    return found or frozenset(_KINDS) - {"string"}


def _walk_types(root: Schema, field: Schema) -> Iterator[str]:
    for part in _walk(root, field):
        own = part.get("type", ())
        for kind in (own,) if isinstance(own, str) else own:
            yield kind
            if kind == "number":
                yield "integer"
        for value in (*part.get("enum", ()), *([part["const"]] if "const" in part else ())):
            yield _type_of(value)


def _walk(root: Schema, schema: Schema, depth: int = 0) -> Iterator[Schema]:
    """Yield *schema*, what it refers to, and each of the ways to fit it."""
    if depth > len(_KINDS):  # a schema that refers to itself
        return
    yield schema
    if reference := schema.get("$ref"):
        target = root.get("$defs", {}).get(str(reference).rpartition("/")[2], {})
        yield from _walk(root, target, depth + 1)
    for way in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from _walk(root, way, depth + 1)


def _type_of(value: object) -> str:
    kinds: Iterable[tuple[type, str]] = (
        (bool, "boolean"),
        (int, "integer"),
        (float, "number"),
        (str, "string"),
        (dict, "object"),
        (list, "array"),
    )
    return next((name for kind, name in kinds if isinstance(value, kind)), "null")


def _explain(error: _Error) -> Iterator[Misfit]:
    where = error.absolute_path
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        for name in missing:
            yield Misfit(_place([*where, name]), "is required")
    elif error.validator == "additionalProperties" and error.validator_value is False:
        known = error.schema.get("properties", {})
        for name in error.instance:
            if name not in known:
                yield Misfit(_place([*where, name]), f"is no param of this job; it has {', '.join(known)}")
    elif error.validator == "type":
        yield Misfit(_place(where), f"must be {_name_types([error.validator_value])}, not {_show(error)}")
    elif error.validator == "enum":
        allowed = ", ".join(json.dumps(value, ensure_ascii=False) for value in error.validator_value)
        yield Misfit(_place(where), f"must be one of {allowed}, not {_show(error)}")
    elif error.validator in ("anyOf", "oneOf") and error.context:
        yield from _explain_ways(error)
    else:
        yield Misfit(_place(where), error.message.removeprefix(f"{error.instance!r} "))


def _explain_ways(error: _Error) -> Iterator[Misfit]:
    """Explain why a value fits none of several ways: by those that it is nearest to."""
    # What a way says of a part of the value has a path from the value to that part.
    wrong_types = [way for way in error.context or () if way.validator == "type" and not way.relative_path]
    if len(wrong_types) == len(error.validator_value):
        names = _name_types([way.validator_value for way in wrong_types])
        yield Misfit(_place(error.absolute_path), f"must be {names}, not {_show(error)}")
        return
    others = [way for way in error.context or () if way not in wrong_types]
    for way in others:
        yield from _explain(way)


def _name_types(types: Iterable[str | list[str]]) -> str:
    flat = [kind for one in types for kind in ([one] if isinstance(one, str) else one)]
    return " or ".join(dict.fromkeys(_KINDS.get(kind, kind) for kind in flat))


def _show(error: _Error) -> str:
    text = json.dumps(error.instance, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:59]}…"  # noqa: PLR2004 -- as much as a line takes


def _place(path: Iterable[str | int]) -> str:
    """Return a path as people write it.

    >>> _place(["items", 2, "price"])
    'items[2].price'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
