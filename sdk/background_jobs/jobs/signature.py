"""What may be a job, and which of its arguments get the params and the context."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from inspect import Parameter
from typing import Any, Final, NoReturn

from background_jobs.core.errors import InvalidJob
from background_jobs.core.json_places import describe
from background_jobs.jobs.annotations import asks_for_context
from background_jobs.jobs.context import JobContext

_POSITIONAL: Final = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_VARIABLE: Final = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
_CONTEXT_NAMES: Final = ("job", "context")


@dataclass(frozen=True, slots=True)
class Signature:
    """How a job is called."""

    function: Callable[..., Any]
    """The function that the parameters are of, below its decorators."""
    params: Parameter
    context: Parameter | None
    """The parameter that takes the JobContext; None where the job wants none."""
    context_is_second: bool

    def call(self, run: Callable[..., Any], params: object, context: JobContext) -> Any:  # noqa: ANN401 -- any result
        """Return what *run* returns for *params*."""
        if self.context is None:
            return run(params)
        # By position where possible, for a decorator may have other names.
        return run(params, context) if self.context_is_second else run(params, **{self.context.name: context})


def read_signature(job_name: str, target: object) -> Signature:
    """Return how to call *target*, a class or function. Raises InvalidJob if it cannot be a job."""
    if inspect.isclass(target):
        _refuse_class(job_name, target)
        run, bound = _find_run(job_name, target)
    else:
        run, bound = _check_function(job_name, target), 0
    if inspect.isgeneratorfunction(run) or inspect.isasyncgenfunction(run):
        _refuse(job_name, "yields, and an instance has one result: return a list")
    function = inspect.unwrap(run, stop=lambda part: not _passes_on(part))
    signature = _assign(job_name, function, _parameters(job_name, function)[bound:])
    if signature.params.annotation is Parameter.empty:
        # A decorator with names of its own stands for what it decorates, so the type is the one below it.
        below = _parameters(job_name, inspect.unwrap(function))[bound:]
        return replace(signature, params=below[0]) if below else signature
    return signature


def _assign(job_name: str, function: Callable[..., Any], parameters: list[Parameter]) -> Signature:
    if not parameters or parameters[0].kind not in _POSITIONAL:
        _refuse(
            job_name,
            "takes no params: its first argument is to take them (a decorator needs functools.wraps)",
        )
    params, *others = parameters
    if params.name in ("self", "cls"):
        _refuse(job_name, "is a method: decorate the class, or a function outside of it")
    if asks_for_context(function, params):
        _refuse(job_name, f"takes the JobContext first: put the params before `{params.name}`")
    context = _find_context(function, others)
    unknown = [p.name for p in others if p.default is Parameter.empty and p is not context]
    if unknown:
        _refuse(
            job_name,
            f"takes `{'`, `'.join(unknown)}` beside its params, and nothing gives that a value. "
            "Annotate it as JobContext, or give it a default",
        )
    is_second = context is not None and context is others[0] and context.kind in _POSITIONAL
    if context is not None and context.kind is Parameter.POSITIONAL_ONLY and not is_second:
        _refuse(job_name, f"must take `{context.name}`, its JobContext, right after the params")
    return Signature(function, params, context, is_second)


def _find_context(function: Callable[..., Any], others: list[Parameter]) -> Parameter | None:
    """Return the parameter that is annotated so, or else the one that can be nothing else."""
    annotated = (p for p in others if asks_for_context(function, p))
    required = (p for p in others if p.default is Parameter.empty)
    implied = (
        p
        for p in required
        if p.name in _CONTEXT_NAMES or (p.annotation is Parameter.empty and p.kind in _POSITIONAL)
    )
    return next(annotated, None) or next(implied, None)


def _refuse_class(job_name: str, target: type) -> None:
    name = target.__qualname__
    if missing := sorted(getattr(target, "__abstractmethods__", ())):
        _refuse(job_name, f"is the abstract class {name}: it lacks `{'`, `'.join(missing)}`")
    if getattr(target, "_is_protocol", False):
        _refuse(job_name, f"is the protocol {name}: decorate a class that implements it")
    try:
        inspect.signature(target).bind()
    except TypeError as missing_arguments:
        _refuse(
            job_name,
            f"is the class {name}, which cannot be made without arguments ({missing_arguments}). "
            "Each attempt makes an object of its own by calling the class: give them defaults",
        )
    except ValueError:  # a class in C whose signature Python does not know
        return


def _find_run(job_name: str, target: type) -> tuple[Callable[..., Any], int]:
    """Return the function that is the class's `run`, and how many of its arguments are bound."""
    run = inspect.getattr_static(target, "run", None)
    if isinstance(run, staticmethod | classmethod):
        return run.__func__, int(isinstance(run, classmethod))
    is_partial = isinstance(run, functools.partial | functools.partialmethod)
    if is_partial or not inspect.isroutine(run):
        _refuse(job_name, f"is the class {target.__qualname__}, which needs a method `run(self, params)`")
    return run, 1


def _check_function(job_name: str, target: object) -> Callable[..., Any]:
    """Return *target* if it is a function, or what a decorator such as functools.cache made of one."""
    if isinstance(target, staticmethod | classmethod):
        kind = type(target).__name__
        _refuse(job_name, f"is a {kind}: put @job_name below @staticmethod, or decorate a class with a `run`")
    if inspect.ismethod(target):
        _refuse(
            job_name, "is a method of an object or of a class: decorate a class with a `run`, or a function"
        )
    is_partial = isinstance(target, functools.partial | functools.partialmethod)
    if is_partial or not (inspect.isroutine(target) or callable(getattr(target, "__wrapped__", None))):
        _refuse(
            job_name, f"is {describe(target)}, neither a function nor a class: write a function that calls it"
        )
    function: Callable[..., Any] = target  # type: ignore[assignment] # either of the two can be called
    return function


def _passes_on(function: Callable[..., Any]) -> bool:
    """Tell whether *function* takes whatever the function below it takes, as decorators do."""
    try:
        parameters = inspect.signature(function, follow_wrapped=False).parameters.values()
    except (ValueError, TypeError):  # of C, as that of functools.cache
        return True
    return any(p.kind is Parameter.VAR_POSITIONAL for p in parameters)


def _parameters(job_name: str, function: Callable[..., Any]) -> list[Parameter]:
    try:
        parameters = inspect.signature(function, follow_wrapped=False).parameters.values()
    except (ValueError, TypeError):
        _refuse(
            job_name,
            f"is {describe(function)}, whose arguments are unknown: write a function that calls it",
        )
    return [parameter for parameter in parameters if parameter.kind not in _VARIABLE]


def _refuse(job_name: str, reason: str) -> NoReturn:
    raise InvalidJob(f"The job {job_name!r} {reason}.")
