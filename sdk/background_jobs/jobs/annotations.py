"""Reading the annotations of a job, one by one: others may name what cannot be imported where it runs."""

import inspect
import re
import typing
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from inspect import Parameter
from types import SimpleNamespace, UnionType
from typing import Any

from background_jobs.core.errors import InvalidJob
from background_jobs.jobs.context import JobContext


def read_annotation(job_name: str, function: Callable[..., Any], parameter: Parameter) -> Any:  # noqa: ANN401 -- a type
    """Return the type that *parameter* of *function* is annotated with, all of `Annotated` included.

    `Parameter.empty` where it has none. Raises InvalidJob if it cannot be read.
    """
    if parameter.annotation is Parameter.empty:
        return Parameter.empty
    try:
        annotation = _resolve(function, parameter)
    except Exception as unreadable:
        raise InvalidJob(
            f"The job {job_name!r} has an annotation that cannot be read: {unreadable}. Import or define "
            "the type of its params at the top of the module of the job, not for type checkers only."
        ) from unreadable
    if isinstance(annotation, typing.TypeVar):
        raise InvalidJob(
            f"The job {job_name!r} asks for params of type {annotation}, which stands for any type: "
            "give the job a `run` of its own that names the type."
        )
    return annotation


def read_return_annotation(job_name: str, function: Callable[..., Any]) -> Any:  # noqa: ANN401 -- a type
    """Return the type that *function* is annotated to return; of an Awaitable, what it comes to.

    `Signature.empty` where it has none, and Any where it stands for any type. Raises InvalidJob if it cannot
    be read.
    """
    annotation = getattr(function, "__annotations__", {}).get("return", inspect.Signature.empty)
    if annotation is inspect.Signature.empty:
        return annotation
    try:
        annotation = _resolve_alone(function, "return", annotation)
    except Exception as unreadable:
        raise InvalidJob(
            f"The job {job_name!r} returns a type that cannot be read: {unreadable}. Import or define it at "
            "the top of the module of the job, not for type checkers only, or annotate it as Any."
        ) from unreadable
    if typing.get_origin(annotation) in (Awaitable, Coroutine):
        annotation = typing.get_args(annotation)[-1]
    if annotation in (typing.NoReturn, typing.Never) or isinstance(annotation, typing.TypeVar):
        return Any
    return annotation


def asks_for_context(function: Callable[..., Any], parameter: Parameter) -> bool:
    """Tell whether *parameter* is annotated JobContext, also as a string, Optional or Annotated."""
    try:
        return JobContext in _alternatives(_resolve(function, parameter))
    except Exception:  # noqa: BLE001 -- it may name what is defined further down, or imported for type checkers
        return re.search(rf"\b{JobContext.__name__}\b", str(parameter.annotation)) is not None


def _resolve(function: Callable[..., Any], parameter: Parameter) -> Any:  # noqa: ANN401 -- a type
    return _resolve_alone(function, parameter.name, parameter.annotation)


def _resolve_alone(function: Callable[..., Any], name: str, annotation: object) -> Any:  # noqa: ANN401 -- a type
    alone = SimpleNamespace(__annotations__={name: annotation})
    known = getattr(inspect.unwrap(function), "__globals__", {})  # functools.wraps copies annotations
    return typing.get_type_hints(alone, globalns=known, include_extras=True)[name]


def _alternatives(annotation: object) -> Iterator[object]:
    yield annotation
    if typing.get_origin(annotation) in (typing.Union, UnionType, typing.Annotated):
        for part in typing.get_args(annotation):
            yield from _alternatives(part)
