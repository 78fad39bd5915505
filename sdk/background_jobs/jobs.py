"""The face of the package for authors of jobs: `@job_name`, `JobContext`, and the jobs of a service."""

import asyncio
import inspect
import re
import time
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from threading import Event
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter

from background_jobs.core import limits
from background_jobs.core.errors import InvalidJob, UnknownJobName
from background_jobs.core.progress import ProgressThrottle
from background_jobs.core.retry import ONCE, Retry

_T = TypeVar("_T", bound=Callable[..., Any])
_NAME: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.-]{{0,{limits.JOB_NAME_CHARACTERS - 1}}}")
_MARK: Final = "__background_job__"


@dataclass(frozen=True, slots=True)
class JobContext:
    """The instance that a job runs, as the job sees it."""

    job_name: str
    orchestration_id: str
    job_id: str
    index: int
    """The instance's place in the array of params, from 0."""
    attempt: int
    """Which attempt this is, from 1."""
    tags: dict[str, str]
    """The tags that the caller gave to the orchestration, such as customer identifiers."""
    _cancelled: Event = field(default_factory=Event, repr=False, compare=False)
    _record: Callable[[int, str], None] = field(
        default=lambda _percent, _message: None, repr=False, compare=False
    )
    _throttle: ProgressThrottle = field(default_factory=ProgressThrottle, repr=False, compare=False)

    def progress(self, percent: float, message: str = "") -> None:
        """Report how far this instance is, from 0 to 100, and in a few words what it does.

        A job may call this in its tightest loop: only a risen percentage is recorded, about once a second.
        """
        whole = min(100, max(0, int(percent)))
        if self._throttle.passes(whole, time.monotonic()):
            self._record(whole, message[: limits.PROGRESS_CHARACTERS])

    def cancelled(self) -> bool:
        """Tell whether the orchestration was cancelled; a long job asks now and then, and returns if so."""
        return self._cancelled.is_set()


class JobDefinition:
    """A class or function registered under a job name, and how to call it."""

    def __init__(
        self, name: str, target: Callable[..., Any], retry: Retry = ONCE, timeout: float | None = None
    ) -> None:
        self.name = name
        self.retry = retry
        self.timeout = timeout
        """Seconds that an attempt may take; None for no limit."""
        self._target = target
        self._run: Callable[..., Any] = _find_run(target)
        self._takes_context = _takes_context(target, self._run)

    def validated(self, params: dict[str, Any]) -> Any:  # noqa: ANN401 -- whatever the job's author wrote
        """Return *params* as the type that the job asks for.

        Raises pydantic.ValidationError if they do not fit it.
        """
        return params if self._adapter is None else self._adapter.validate_python(params)

    def __call__(self, params: object, context: JobContext) -> Any:  # noqa: ANN401 -- see above
        """Run one instance with *params* as `validated` returned them; a coroutine is awaited here."""
        run: Callable[..., Any] = self._target
        if inspect.isclass(self._target):
            run = self._target().run  # type: ignore[attr-defined] # checked by _find_run
        returned = run(params, context) if self._takes_context else run(params)
        return asyncio.run(returned) if inspect.iscoroutine(returned) else returned

    @cached_property
    def _adapter(self) -> TypeAdapter[Any] | None:
        # Read late, so that a job may name types that its module defines further down.
        try:
            hints = typing.get_type_hints(self._run)
        except NameError as unknown:
            raise InvalidJob(
                f"The job {self.name!r} has an annotation that cannot be read: {unknown}."
            ) from unknown
        annotation = next(
            (hints[name] for name in _positional(self._target, self._run)[:1] if name in hints), Any
        )
        return None if annotation in (Any, dict) else TypeAdapter(annotation)


def job_name(
    name: str, *, retry: Retry | None = None, timeout: float | timedelta | None = None
) -> Callable[[_T], _T]:
    """Register a class with a `run` method, or a function, as the job *name*.

    *retry* says which errors are tried again; without it none are. *timeout* is what one attempt may take,
    in seconds or as a timedelta; it ends sleeping and computing attempts alike (docs/containers.md).

    `run` takes the params (a dict, or whatever type its annotation names: pydantic validates them) and, if
    it wants one, a JobContext. What it returns is the instance's result, anything that JSON can hold.
    Calling the decorated class or function stays a plain local call.

    Raises InvalidJob if the name or the signature cannot serve.
    """
    if not _NAME.fullmatch(name):
        raise InvalidJob(
            f"{name!r} cannot be a job name: use up to {limits.JOB_NAME_CHARACTERS} of: letters, digits, "
            "'_', '.' and '-'."
        )

    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    if seconds is not None and not 0 < seconds <= limits.TIMEOUT_SECONDS:
        raise InvalidJob(
            f"The job {name!r} has a timeout of {seconds} s; it must be above 0, and at most "
            f"{limits.TIMEOUT_DAYS} days."
        )

    def register(target: _T) -> _T:
        setattr(target, _MARK, JobDefinition(name, target, retry or ONCE, seconds))
        return target

    return register


def find_definition(target: object) -> JobDefinition:
    """Return what `@job_name` registered for *target*. Raises InvalidJob if it was not decorated."""
    definition = vars(target).get(_MARK) if hasattr(target, "__dict__") else None
    if not isinstance(definition, JobDefinition):
        raise InvalidJob(f"{target!r} is not a job: decorate it with @job_name('...').")
    return definition


class Jobs:
    """The jobs of one service, by name."""

    def __init__(self, targets: Iterable[object]) -> None:
        self._definitions: dict[str, JobDefinition] = {}
        for definition in map(find_definition, targets):
            if definition.name in self._definitions:
                raise InvalidJob(f"Two jobs are named {definition.name!r}; each name may be used once.")
            self._definitions[definition.name] = definition

    @property
    def names(self) -> list[str]:
        """Return the job names, sorted."""
        return sorted(self._definitions)

    def get(self, name: str) -> JobDefinition:
        """Return the job *name*. Raises UnknownJobName."""
        try:
            return self._definitions[name]
        except KeyError:
            raise UnknownJobName(name, self._definitions) from None


def _find_run(target: Callable[..., Any]) -> Callable[..., Any]:
    if not inspect.isclass(target):
        return target
    run: Callable[..., Any] | None = getattr(target, "run", None)
    if not callable(run):
        raise InvalidJob(f"The class {target.__qualname__} needs a method `run(self, params)` to be a job.")
    return run


def _positional(target: object, run: Callable[..., Any]) -> list[str]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [name for name, p in inspect.signature(run).parameters.items() if p.kind in kinds]
    is_static = inspect.isclass(target) and isinstance(inspect.getattr_static(target, "run"), staticmethod)
    return names[1:] if inspect.isclass(target) and not is_static else names


def _takes_context(target: Callable[..., Any], run: Callable[..., Any]) -> bool:
    count = len(_positional(target, run))
    if count not in (1, 2):
        raise InvalidJob(
            f"{run.__qualname__} takes {count} arguments; a job takes the params, and perhaps a JobContext."
        )
    return count == 2  # noqa: PLR2004 -- the params and the context
