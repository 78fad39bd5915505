"""Why a value was refused, in our words: those of pydantic are for programmers of models.

What people read of an error is its place, its value, and what it must be instead. Messages that a validator
wrote are taken as they are, and so are those of kinds that are not told apart here.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from background_jobs.core.errors import BackgroundJobsError
from background_jobs.core.json_places import show

_T = TypeVar("_T")
_REQUIREMENTS: Final[Mapping[str, str]] = {
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "finite_number": "must be a finite number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "is too large a number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "dict_type": "must be an object",
    "mapping_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dataclass_type": "must be an object",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "set_type": "must be a list",
    "iterable_type": "must be a list",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    "none_required": "must be null",
    "datetime_type": "must be a date and time, as 2026-11-24T09:30Z",
    "datetime_parsing": "must be a date and time, as 2026-11-24T09:30Z",
    "datetime_from_date_parsing": "must be a date and time, as 2026-11-24T09:30Z",
    "timezone_aware": "needs a time zone",
    "date_type": "must be a date, as 2026-11-24",
    "date_parsing": "must be a date, as 2026-11-24",
    "date_from_datetime_parsing": "must be a date, as 2026-11-24",
    "time_delta_type": "must be a span of time",
    "time_delta_parsing": "must be a span of time",
    "uuid_parsing": "must be a UUID",
    "uuid_type": "must be a UUID",
    "url_parsing": "must be a URL",
    "json_invalid": "is not JSON",
}
_WITHOUT_VALUE: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "missing_argument": "is missing",
    "extra_forbidden": "is not known",
    "unexpected_keyword_argument": "is not known",
}
_SEVERAL: Final = 3
"""How many values of one object are explained."""


class RefusedValues(BackgroundJobsError, ValueError):
    """An object was made of values that it cannot have."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)


class InvalidRetry(RefusedValues):
    """A Retry was made of values that it cannot have."""


class InvalidStage(RefusedValues):
    """A Stage was made of values that it cannot have."""


def explain_refused(invalid: ValidationError) -> str:
    """Return why values were refused, in a sentence without its full stop: up to three of them."""
    problems: list[Any] = invalid.errors(include_url=False)
    reasons = list(dict.fromkeys(map(explain_problem, problems)))
    more = f"; and {len(reasons) - _SEVERAL} more" if len(reasons) > _SEVERAL else ""
    return "; ".join(reasons[:_SEVERAL]) + more


def explain_problem(problem: Mapping[str, Any], show_value: Callable[[object], str] = show) -> str:
    """Return why one value was refused: its place, the value by *show_value*, and what it must be."""
    place = ".".join(str(part) for part in problem["loc"] if _is_name(part))
    kind, context = problem["type"], problem.get("ctx", {})
    if kind in {"value_error", "assertion_error"}:
        reason = str(context.get("error", problem["msg"]))
        return f"{place}: {reason}" if place and not reason.startswith(place) else reason
    if kind in _WITHOUT_VALUE:
        return f"{place or 'the object'} {_WITHOUT_VALUE[kind]}"
    shown = show_value(problem["input"])
    value = f"{place}={shown}" if place else shown
    return f"{value} {requirement}" if (requirement := require(problem)) else f"{value}: {problem['msg']}"


def require(problem: Mapping[str, Any]) -> str:
    """Return what a value that was refused must be, or nothing where that is not told apart."""
    return _REQUIREMENTS.get(problem["type"], "").format_map(problem.get("ctx", {}))


def _is_name(part: object) -> bool:
    """Tell a field or an index from a branch of a union, which pydantic calls ``function-before[...]``."""
    return isinstance(part, int) or (isinstance(part, str) and part.isidentifier())


def explains_itself(error: Callable[[str], Exception]) -> Callable[[type[_T]], type[_T]]:
    """Decorate a class of pydantic, so that making one of refused values raises *error* with a sentence.

    What is validated as a part of something else still raises ValidationError, which tells its place there.
    """

    def decorate(kind: type[_T]) -> type[_T]:
        make: Callable[..., None] = kind.__init__
        names: tuple[str, ...] = getattr(kind, "__match_args__", ())

        @wraps(make)
        def make_or_explain(self: _T, *args: object, **values: object) -> None:
            # By name, so that a value that is refused is told of by its name.
            named = dict(zip(names, args, strict=False))
            try:
                make(self, *args[len(named) :], **named, **values)
            except ValidationError as invalid:
                raise error(f"{kind.__name__} was refused: {explain_refused(invalid)}.") from None

        kind.__init__ = make_or_explain  # type: ignore[method-assign, assignment]
        return kind

    return decorate
