"""Results as the types that jobs return: read from JSON when a caller asks for one."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic_core import CoreSchema, SchemaValidator, to_json

from background_jobs.core.errors import InvalidJob, ResultMismatch
from background_jobs.core.json_places import describe
from background_jobs.core.refused_values import explain_refused

_UNKNOWN_TYPE = (PydanticUserError, PydanticUndefinedAnnotation, TypeError)
_KEYS_THAT_ARE_NO_TEXT: Final = frozenset({"none", "tuple", "list", "set", "frozenset", "model", "dataclass"})
_NOT_SCHEMAS: Final = frozenset({"metadata", "default"})


class ResultType:
    """The type that a job returns. Raises InvalidJob if it, or keys of its dicts, cannot come from JSON."""

    def __init__(self, job_name: str, annotation: Any) -> None:  # noqa: ANN401 -- any type
        self._job_name = job_name
        self._annotation = annotation
        try:
            schema = TypeAdapter(annotation).core_schema
            self._validator = SchemaValidator(_with_lists(schema))
            _refuse_keys(schema)
        except _UNKNOWN_TYPE as unknown:
            raise InvalidJob(
                f"The job {job_name!r} returns a type that cannot be read back from JSON: {unknown}. "
                "Annotate it with a pydantic model, a dataclass, a TypedDict or types of JSON, or with Any."
            ) from unknown

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Be made anew where it arrives."""
        return type(self), (self._job_name, self._annotation)

    def read(self, index: int, plain: object) -> Any:  # noqa: ANN401 -- an object of the type
        """Return what *plain*, the JSON result of instance *index*, stands for. Raises ResultMismatch."""
        try:
            return self._validator.validate_json(to_json(plain), strict=True)
        except ValidationError as misfit:
            reason = explain_refused(misfit)
        except Exception as broken:  # noqa: BLE001 -- a validator of the type may raise anything
            reason = f"a validator of it raised {describe(broken)}"
        name = getattr(self._annotation, "__name__", None)
        text = name if isinstance(self._annotation, type) and name else str(self._annotation)
        raise ResultMismatch(self._job_name, index, text, reason)


def _with_lists(part: Any) -> Any:  # noqa: ANN401 -- a schema of pydantic, or a part of one
    """Return a schema that reads a list, checked, where pydantic would check what is iterated over, and once.

    Fields of models are left as their models have them.
    """
    if isinstance(part, list):
        return [_with_lists(inner) for inner in part]
    if not isinstance(part, dict) or part.get("type") in {"model", "dataclass"}:
        return part
    parts = {name: inner if name in _NOT_SCHEMAS else _with_lists(inner) for name, inner in part.items()}
    return parts | {"type": "list"} if part.get("type") == "generator" else parts


def _refuse_keys(schema: CoreSchema) -> None:
    """Raise TypeError if a dict in *schema* has keys that are no longer what they were once they are text."""
    nodes = list(_nodes(schema))
    named = {node["ref"]: node for node in nodes if "ref" in node}
    for node in nodes:
        if "keys_schema" in node:
            keys = node["keys_schema"]
            keys = named.get(keys.get("schema_ref"), keys)
            if not _comes_back(keys):
                raise TypeError(
                    f"JSON has text as keys, and a dict's keys of type {keys['type']} become others"
                )


def _nodes(part: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401 -- see above
    """Yield the schemas in *part*, but for what functions of the type's own write or read."""
    if isinstance(part, dict):
        is_schema = isinstance(part.get("type"), str)
        if is_schema and ("serialization" in part or part["type"].startswith("function-")):
            return
        if is_schema:
            yield part
        for name, inner in part.items():
            if not (is_schema and name in _NOT_SCHEMAS):
                yield from _nodes(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _nodes(inner)


def _comes_back(keys: Mapping[str, Any]) -> bool:
    match keys:
        case {"type": "literal", "expected": values}:
            return all(isinstance(value, str) for value in values)
        case {"type": "enum", "members": members} if "sub_type" not in keys and "missing" not in keys:
            return all(isinstance(member.value, str) for member in members)
        case {"type": kind}:
            return kind not in _KEYS_THAT_ARE_NO_TEXT
    return True
