# ruff: noqa: ANN001, ANN201, FBT001, FBT002 -- jobs as people write them
"""What may be a job: each runs as its author means it, or is refused where it is registered."""

import asyncio
import functools
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from types import FunctionType
from typing import Annotated, Any, Generic, Optional, Protocol, TypeVar

import pytest
from pydantic import BaseModel

from background_jobs.core.errors import InvalidJob
from background_jobs.jobs import JobContext, Jobs, job_name
from background_jobs.jobs.definition import find_definition
from background_jobs.worker.coroutines import CoroutineRunner
from background_jobs.worker.main import run_e11_job
from tests.unit import jobs_for_type_checkers

CONTEXT = JobContext("x", "o", "j", 3, 1, {})
PARAMS = {"n": 7}
T = TypeVar("T")


class N(BaseModel):
    n: int


def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def with_audit(*args: Any, **kwargs: Any) -> Any:
        return ("audited", function(*args, **kwargs))

    return with_audit


def renaming(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def with_other_names(given: Any, c: Any) -> Any:
        return function(given, c)

    return with_other_names


def unwrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    def with_nothing(*args: Any) -> Any:
        return function(*args)

    return with_nothing


def plain(params):  # type: ignore[no-untyped-def] # as people write it
    return params["n"]


def typed(params: N) -> int:
    return params.n


def with_context(params: N, job: JobContext) -> tuple[int, int]:
    return params.n, job.index


def unannotated_context(params, whatever):  # type: ignore[no-untyped-def] # as people write it
    return params["n"], whatever.index


def named_context(params: N, context: object) -> tuple[int, object]:
    return params.n, context.index  # type: ignore[attr-defined] # it is a JobContext


def keyword_context(params: N, *, job: JobContext) -> tuple[int, int]:
    return params.n, job.index


def optional_context(params: N, dry_run: bool = False, job: Optional[JobContext] = None) -> Any:  # noqa: UP045
    return params.n, dry_run, job and job.index


def annotated_context(params: N, other: Annotated[JobContext, "mine"]) -> tuple[int, int]:
    return params.n, other.index


def optional_flag(params, dry_run=False):  # type: ignore[no-untyped-def] # as people write it
    return "nothing done" if dry_run else "done"


def variable(params: N, *args: object, **kwargs: object) -> tuple[int, int]:
    return params.n, len(args) + len(kwargs)


async def coroutine(params: N, job: JobContext) -> int:
    return params.n


class Runs:
    def run(self, params: N, job: JobContext) -> tuple[int, int]:
        return params.n, job.index


class Inherits(Runs):
    pass


class Static:
    @staticmethod
    def run(params: N, job: JobContext) -> tuple[int, int]:
        return params.n, job.index


class OfClass:
    @classmethod
    def run(cls, params: N, job: JobContext) -> tuple[str, int, int]:
        return cls.__name__, params.n, job.index


@dataclass
class Defaults:
    factor: int = 2
    seen: list[int] = field(default_factory=list)

    def run(self, params: N) -> int:
        self.seen.append(params.n)
        return self.factor * sum(self.seen)


class WrappedRun:
    @wrapped
    def run(self, params: N, job: JobContext) -> tuple[int, int]:
        return params.n, job.index


class Frozen(BaseModel, frozen=True):
    n: int

    @staticmethod
    def measure(params: "Frozen") -> int:
        return params.n


def below(decorator: Callable[..., Any], target: Any) -> Any:
    return job_name("x")(decorator(target))


def above(decorator: Callable[..., Any], target: Any) -> Any:
    return decorator(job_name("x")(target))


def fresh(function: Any) -> Any:
    """Return a function of its own, for the mark of a job stays on what is decorated."""
    return FunctionType(function.__code__, function.__globals__, function.__name__)


RUN: dict[str, tuple[Any, Any]] = {
    "a function": (plain, 7),
    "a typed one": (typed, 7),
    "a context": (with_context, (7, 3)),
    "a context without an annotation": (unannotated_context, (7, 3)),
    "a context by its name": (named_context, (7, 3)),
    "a context by keyword": (keyword_context, (7, 3)),
    "an optional context behind an optional flag": (optional_context, (7, False, 3)),
    "an annotated context": (annotated_context, (7, 3)),
    "an optional flag": (optional_flag, "done"),
    "more arguments than are given": (variable, (7, 0)),
    "a coroutine": (coroutine, 7),
    "a lambda": (lambda params: params["n"], 7),
    "a class": (Runs, (7, 3)),
    "an inherited run": (Inherits, (7, 3)),
    "a static run": (Static, (7, 3)),
    "a run of the class": (OfClass, ("OfClass", 7, 3)),
    "a class with defaults": (Defaults, 14),
    "a decorated run": (WrappedRun, ("audited", (7, 3))),
    "a context that type checkers alone import": (
        jobs_for_type_checkers.context_for_type_checkers,
        (True, True),
    ),
    "a result that type checkers alone import": (jobs_for_type_checkers.result_for_type_checkers, 7),
    "params of a type that is defined below": (jobs_for_type_checkers.defined_below, 7),
}


def run(target: Any) -> object:
    """Run *target* as its container does: a new object of the class, and params from JSON, for each attempt."""
    definition = Jobs([target]).get("x")
    coroutines = CoroutineRunner()
    coroutines.result_of(definition(definition.read_params(b'{"n": 1}'), CONTEXT))
    return coroutines.result_of(definition(definition.read_params(json.dumps(PARAMS).encode()), CONTEXT))


@pytest.mark.parametrize("kind", RUN)
def test_it_runs_as_it_is_meant(kind: str) -> None:
    target, result = RUN[kind]
    assert run(job_name("x")(target)) == result


DECORATED: dict[str, tuple[Callable[[], Any], Any]] = {
    "functools.wraps below": (lambda: below(wrapped, with_context), ("audited", (7, 3))),
    "functools.wraps above": (lambda: above(wrapped, fresh(plain)), ("audited", 7)),
    "two of them": (lambda: wrapped(above(wrapped, fresh(plain))), ("audited", ("audited", 7))),
    "functools.wraps with other names": (lambda: below(renaming, with_context), (7, 3)),
    "the same above": (lambda: above(renaming, fresh(unannotated_context)), (7, 3)),
    "functools.cache": (lambda: below(functools.cache, Frozen.measure), 7),
    "a staticmethod above": (lambda: above(staticmethod, fresh(plain)).__func__, 7),
    "a dataclass with slots above": (
        lambda: above(dataclass(slots=True), type("Slotted", (Runs,), {})),
        (7, 3),
    ),
}


@pytest.mark.parametrize("kind", DECORATED)
def test_a_decorator_above_or_below_is_run(kind: str) -> None:
    """`functools.wraps` copies the mark of a job, so a decorator above was left out without a word."""
    make, result = DECORATED[kind]
    assert run(make()) == result


class Needing:
    def __init__(self, database: str) -> None: ...
    def run(self, params: N) -> None: ...


class Abstract(ABC):
    @abstractmethod
    def run(self, params: N) -> None: ...


class Described(Protocol):
    def run(self, params: N) -> None: ...


class Idle:
    pass


class Property:
    @property
    def run(self) -> Callable[..., Any]:
        return plain


class Attribute:
    run = functools.partial(plain)


class PartialRun:
    run = functools.partialmethod(plain)


class TakesNothing:
    def run(self) -> None: ...


class Base(Generic[T]):
    def run(self, params: T) -> None: ...


class OfType(Base[N]):
    pass


class Callable_:  # noqa: N801 -- what its name says
    def __call__(self, params: N) -> None: ...

    def method(self, params: N) -> None: ...


class Unknown:
    """A type that pydantic does not know."""


def generator(params: N) -> Iterator[int]:
    yield params.n


async def async_generator(params: N) -> AsyncIterator[int]:
    yield params.n


def nothing() -> None: ...
def only_keywords(*, params: N) -> None: ...
def anything(*args: object, **kwargs: object) -> None: ...
def swapped(job: JobContext, params: N) -> None: ...
def three(params: N, job: JobContext, database: str) -> None: ...
def other_second(params: N, database: Unknown) -> None: ...
def required_keyword(params: N, *, database) -> None: ...  # type: ignore[no-untyped-def] # as people write it
def hidden_context(params: N, n: int = 0, job: JobContext | None = None, /) -> None: ...
def method(self, params) -> None: ...  # type: ignore[no-untyped-def] # as people write it


REFUSED: dict[str, tuple[Any, str]] = {
    "a class whose making needs arguments": (Needing, "cannot be made without arguments .*'database'"),
    "an abstract class": (Abstract, "abstract class Abstract: it lacks `run`"),
    "a protocol": (Described, "is the protocol Described"),
    "a class without run": (Idle, r"the class Idle, which needs a method `run\(self, params\)`"),
    "run as a property": (Property, "needs a method `run"),
    "run as a partial": (Attribute, "needs a method `run"),
    "run as a partial method": (PartialRun, "needs a method `run"),
    "a run without params": (TakesNothing, "takes no params"),
    "a partial": (functools.partial(plain), "neither a function nor a class: write a function"),
    "a callable object": (Callable_(), "neither a function nor a class: write a function"),
    "a bound method": (Callable_().method, "method of an object"),
    "a method": (method, "is a method: decorate the class"),
    "a staticmethod below": (staticmethod(plain), "put @job_name below @staticmethod"),
    "a classmethod": (classmethod(plain), "is a classmethod"),
    "no function": (3, "3 .int., neither a function nor a class"),
    "a function in C": (len, "cannot be the job 'x': write a function that calls it"),
    "a generator": (generator, "yields, and an instance has one result: return a list"),
    "an async generator": (async_generator, "yields"),
    "no argument": (nothing, "takes no params"),
    "params by keyword": (only_keywords, "takes no params"),
    "any arguments": (anything, "takes no params.*needs functools.wraps"),
    "a decorator without functools.wraps": (unwrapped(with_context), "needs functools.wraps"),
    "the context first": (swapped, "takes the JobContext first: put the params before `job`"),
    "a third argument": (three, "takes `database` beside its params"),
    "a second argument of another type": (other_second, "takes `database` beside its params"),
    "a required keyword": (required_keyword, "takes `database` beside its params"),
    "a context by position, but not the second": (hidden_context, "must take `job`.* right after the params"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_run_is_refused_where_it_is_registered(kind: str) -> None:
    target, reason = REFUSED[kind]
    with pytest.raises(InvalidJob, match=f"'x'.*{reason}|{reason}"):
        job_name("x")(target)


def test_a_decorator_that_makes_a_function_of_the_class_is_refused() -> None:
    decorated = above(wrapped, type("Decorated", (Runs,), {}))
    with pytest.raises(
        InvalidJob, match=r"above @job_name\('x'\) made .* of the class Decorated: put .* on top"
    ):
        Jobs([decorated])


def unknown_type(params: Unknown) -> None: ...


UNREADABLE: dict[str, tuple[Any, str]] = {
    "what type checkers alone import": (
        jobs_for_type_checkers.params_for_type_checkers,
        "'Decimal' is not defined",
    ),
    "a type that pydantic does not know": (unknown_type, "cannot be validated: .*Unknown"),
    "a type that stands for any": (OfType, "of type ~T, which stands for any type"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_params_whose_type_cannot_be_read_are_refused_when_the_image_names_its_jobs(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their type may be defined below the job, so it is read when all is."""
    target, reason = UNREADABLE[kind]
    monkeypatch.setenv("BACKGROUND_JOBS_DESCRIBE", "1")
    with pytest.raises(InvalidJob, match=f"(?s)The job 'x' .*{reason}"):
        run_e11_job([job_name("x")(target)])


class Asynchronous:
    async def run(self, params: dict[str, Any]) -> None: ...


class AsynchronousStatic:
    @staticmethod
    async def run(params: dict[str, Any]) -> None: ...


async def asynchronous(params: dict[str, Any]) -> None: ...


@functools.wraps(asynchronous)
def blocking(params: dict[str, Any]) -> None:
    asyncio.run(asynchronous(params))


def test_what_runs_on_an_event_loop_is_what_is_a_coroutine_function_decorators_included() -> None:
    """A decorator that runs the loop itself cannot do so within another one."""
    jobs = (Asynchronous, AsynchronousStatic, asynchronous, blocking)
    definitions = [find_definition(job_name("job", concurrency=2)(job)) for job in jobs]
    assert [definition.is_coroutine for definition in definitions] == [True, True, True, False]
