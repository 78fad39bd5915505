"""Params as the types that jobs ask for: a model that is kicked off arrives equal, or is refused."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar, Final, Protocol, Self

from pydantic import BaseModel, PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic_core import from_json, to_json

from background_jobs.core.canonical import sort_sets
from background_jobs.core.errors import InvalidJob, InvalidParams
from background_jobs.core.json_faults import explain_no_number, explain_unwritable, is_no_number
from background_jobs.core.json_places import Part, are_equal, describe, find_difference, is_dataclass, walk
from background_jobs.core.payloads import params_line
from background_jobs.core.refused_values import explain_refused


class Dataclass(Protocol):
    """An object of a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


Params = Mapping[str, Any] | BaseModel | Dataclass
"""What may be params; objects other than dicts must read back equal from their JSON."""

_CLASSES_KEPT: Final = 64
_UNKNOWN_TYPE: Final = (PydanticUserError, PydanticUndefinedAnnotation, TypeError)
_WHY_NO_SECRETS: Final = (
    "is a secret, and params are kept as plain text. Give it to the service, whose containers have it in a "
    "variable (`secrets` in docs/deploying.md), and leave it out of the params"
)


class ParamsType:
    """A type of params, whose values travel as JSON."""

    def __init__(self, owner: str, annotation: Any) -> None:  # noqa: ANN401 -- any type
        self.owner = owner
        """Whose type it is, in words."""
        self._adapter: TypeAdapter[Any] = TypeAdapter(annotation)

    @classmethod
    @lru_cache(_CLASSES_KEPT)
    def of_class(cls, kind: type) -> "ParamsType":
        """Return the type of the objects of *kind*, a model or a dataclass."""
        return cls(f"their class {kind.__name__}", kind)

    @classmethod
    def of_job(cls, job_name: str, annotation: Any) -> Self:  # noqa: ANN401 -- any type
        """Return the type of a job's params. Raises InvalidJob if pydantic cannot validate it."""
        try:
            return cls(f"the job {job_name!r}", annotation)
        except _UNKNOWN_TYPE as unknown:
            raise InvalidJob(
                f"The job {job_name!r} asks for params of a type that cannot be validated: {unknown}. "
                "Use a pydantic model, a dataclass or a dict."
            ) from unknown

    def read(self, line: bytes) -> Any:  # noqa: ANN401 -- an object of the type
        """Return the object that *line*, a JSON object, stands for.

        Raises pydantic.ValidationError, and whatever a validator of the type raises.
        """
        return self._adapter.validate_json(line)

    def read_at(self, index: int, line: bytes) -> Any:  # noqa: ANN401 -- an object of the type
        """Return the same. Raises InvalidParams, which names *index*."""
        try:
            return self.read(line)
        except ValidationError as invalid:
            raise InvalidParams(
                index, f"they do not fit {self.owner}: {explain_refused(invalid)}."
            ) from invalid
        except Exception as broken:
            reason = f"a validator of {self.owner} raised {describe(broken)}"
            raise InvalidParams(index, f"{reason}.") from broken

    def json_schema(self) -> dict[str, Any] | None:
        """Return the JSON Schema of what `read` takes; None where the type has none."""
        try:
            return self._adapter.json_schema(mode="validation")
        except Exception:  # noqa: BLE001 -- parts of a type may write their schema themselves, and fail
            return None

    def to_plain(self, value: object, *, by_alias: bool) -> Any:  # noqa: ANN401 -- JSON
        """Return *value*, of this type, in plain Python values, as pydantic writes and reads its JSON."""
        # Settings such as ser_json_inf_nan hold for text alone, so it is text in between.
        return from_json(self._adapter.dump_json(value, by_alias=by_alias, round_trip=True, warnings="none"))


def write_params(index: int, params: object, job_type: ParamsType | None) -> bytes:
    """Return *params*, a dict or a model, as one line of JSON that a job of type *job_type* reads.

    Raises InvalidParams, which names *index*, if they do not fit the job, or if a model would not arrive
    equal. Where the job's type is unknown (None), or a dict, the model's own class must read it back equal.
    """
    # Dicts first: asking a class of pydantic for its instances takes longer than writing a small one.
    if not isinstance(params, dict) and (isinstance(params, BaseModel) or is_dataclass(params)):
        return _write_model(index, params, job_type)
    line = params_line(index, params)
    if job_type is not None:
        job_type.read_at(index, line)
    return line


def _write_model(index: int, model: object, job_type: ParamsType | None) -> bytes:
    """Write *model* by the aliases of its fields, or by their names where only those can be read back."""
    try:
        return _write_equal(index, model, job_type, by_alias=True)
    except InvalidParams as by_alias:
        try:
            return _write_equal(index, model, job_type, by_alias=False)
        except InvalidParams:
            raise by_alias from by_alias.__cause__


def _write_equal(index: int, model: object, job_type: ParamsType | None, *, by_alias: bool) -> bytes:
    """Write *model*, read it back as its job will, and raise InvalidParams unless the two are equal."""
    own_type = _own_type(index, type(model))
    plain = _to_plain(index, model, own_type, by_alias=by_alias)
    line = params_line(index, sort_sets(model, plain))
    try:
        arrived = (job_type or own_type).read_at(index, line)
        if job_type is not None and isinstance(arrived, dict):
            arrived = own_type.read_at(index, line)
    except InvalidParams as refused:
        _refuse_secret(index, Part(model))
        _refuse_lost_number(index, model, refused)
        raise
    if are_equal(model, arrived):
        return line
    if difference := find_difference(Part(model), Part(arrived)):
        mine, theirs = difference
        _refuse_secret(index, mine)
        if theirs.value is None and is_no_number(mine.value):
            raise InvalidParams(index, f"{mine.name}: {explain_no_number(mine.value)}.")
        raise InvalidParams(
            index,
            f"{mine.name or 'the object'} would arrive as {describe(theirs.value)}, and not as "
            f"{describe(mine.value)}. Let the JSON of its class read back equal, or pass a dict.",
        )
    return line


def _own_type(index: int, kind: type) -> ParamsType:
    try:
        return ParamsType.of_class(kind)
    except _UNKNOWN_TYPE as unknown:
        raise InvalidParams(
            index, f"their class {kind.__name__} cannot be written as JSON: {unknown}."
        ) from unknown


def _to_plain(index: int, model: object, own_type: ParamsType, *, by_alias: bool) -> object:
    try:
        return own_type.to_plain(model, by_alias=by_alias)
    except Exception as reason:
        why = explain_unwritable(model, lambda part: from_json(to_json(part)), reason)
        raise InvalidParams(index, f"they cannot be written as JSON: {why}.") from reason


def _refuse_lost_number(index: int, model: object, refused: InvalidParams) -> None:
    """Raise InvalidParams if *refused* is of a None that pydantic wrote for a number that is none."""
    invalid = refused.__cause__
    if isinstance(invalid, ValidationError) and any(
        problem["input"] is None for problem in invalid.errors(include_url=False)
    ):
        for part in walk(Part(model)):
            if is_no_number(part.value):
                raise InvalidParams(index, f"{part.name}: {explain_no_number(part.value)}.")


def _refuse_secret(index: int, part: Part) -> None:
    """Raise InvalidParams if *part*, which did not arrive equal, has a secret, whose JSON is asterisks."""
    for inner in walk(part):
        if callable(getattr(inner.value, "get_secret_value", None)):
            raise InvalidParams(index, f"{inner.name or 'the object'} {_WHY_NO_SECRETS}.")
