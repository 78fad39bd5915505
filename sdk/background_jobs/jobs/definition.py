"""Jobs as they are registered: `@job_name`, and the jobs of a service."""

import inspect
import json
import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import cached_property
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from background_jobs.core import limits
from background_jobs.core.errors import InvalidJob, UnknownJobName
from background_jobs.core.job_descriptions import JOB_MARK, JobDescription
from background_jobs.core.json_places import describe
from background_jobs.core.refused_values import explain_refused
from background_jobs.core.retry import ONCE, GiveUp, Retry
from background_jobs.core.typed_params import ParamsType
from background_jobs.core.typed_results import ResultType
from background_jobs.jobs.annotations import read_annotation, read_return_annotation
from background_jobs.jobs.context import JobContext
from background_jobs.jobs.signature import Signature, read_signature

_T = TypeVar("_T", bound=Callable[..., Any])
_NAME: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.-]{{0,{limits.JOB_NAME_CHARACTERS - 1}}}")
_DESCRIPTION_CHARACTERS: Final = 1_000


class JobDefinition:
    """A class or function registered under a job name, and how to call it.

    Raises InvalidJob if *target* cannot be a job.
    """

    def __init__(  # noqa: PLR0913 -- a job, and one argument for each of its options
        self,
        name: str,
        target: Callable[..., Any],
        retry: Retry = ONCE,
        timeout: float | None = None,
        *,
        process_per_instance: bool = False,
        expected: float | None = None,
        concurrency: int = 1,
        hedge: bool = False,
        reuse_process: bool = False,
        aliases: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.aliases = aliases
        """The names that the job had before; it is found by them, too."""
        self.retry = retry
        self.timeout = timeout
        """Seconds that an attempt may take; None for no limit."""
        self.process_per_instance = process_per_instance
        self.expected = expected
        """Seconds that an instance takes, more or less; None if the job does not say."""
        self.concurrency = concurrency
        """How many instances run at once in one container."""
        self.hedge = hedge
        """Whether a slow instance may run twice at once, in two containers."""
        self.reuse_process = reuse_process
        """Whether the process of a share may work on the next one, in a warm worker."""
        self._target = target
        self._signature: Signature = read_signature(name, target)

    @cached_property
    def params_type(self) -> ParamsType | None:
        """Return the type that the job asks for; None for a dict as JSON has it.

        Raises InvalidJob if the annotation cannot be read, or names a type that pydantic does not know.
        """
        # Read late, so that a job may name types that its module defines further down.
        annotation = read_annotation(self.name, self._signature.function, self._signature.params)
        if annotation in (Any, dict, inspect.Parameter.empty):
            return None
        return ParamsType.of_job(self.name, annotation)

    @cached_property
    def result_type(self) -> ResultType | None:
        """Return the type that the job returns; None where it does not say, or says that it is any.

        Raises InvalidJob if the annotation cannot be read, or names a type that pydantic does not know.
        """
        annotation = read_return_annotation(self.name, self._signature.function)
        if annotation in (Any, object, dict, list, inspect.Signature.empty):
            return None
        return ResultType(self.name, annotation)

    @property
    def module(self) -> str:
        """Return the name of the module that defines it."""
        return self._target.__module__

    def read_params(self, line: bytes) -> Any:  # noqa: ANN401 -- whatever the job's author wrote
        """Return params, given as JSON, as the type that the job asks for; a new object each time.

        Raises GiveUp if they do not fit it, as they will not at another attempt either, and whatever else a
        validator of the type raises.
        """
        if self.params_type is None:
            return json.loads(line)
        try:
            return self.params_type.read(line)
        except ValidationError as invalid:
            reason = explain_refused(invalid)
            raise GiveUp(f"The params do not fit the job {self.name!r}: {reason}.") from invalid

    def __call__(self, params: object, context: JobContext) -> Any:  # noqa: ANN401 -- see above
        """Run one instance with *params* as `read_params` returned them; it may return a coroutine."""
        run: Callable[..., Any] = self._target
        if inspect.isclass(self._target):
            run = self._target().run  # type: ignore[attr-defined] # checked by read_signature
        return self._signature.call(run, params, context)

    def describe(self) -> JobDescription:
        """Return what the job publishes of itself. Raises InvalidJob if its annotations cannot be read."""
        documented = inspect.getdoc(self._target) or ""
        return JobDescription(
            name=self.name,
            aliases=self.aliases,
            description=" ".join(documented.partition("\n\n")[0].split())[:_DESCRIPTION_CHARACTERS],
            params_schema=None if self.params_type is None else self.params_type.json_schema(),
            retry=self.retry,
            timeout_seconds=self.timeout,
            expected_seconds=self.expected,
            concurrency=self.concurrency,
        )

    @property
    def is_coroutine(self) -> bool:
        """Tell whether the job is a coroutine function, decorators included."""
        target = self._target
        run = inspect.getattr_static(target, "run") if inspect.isclass(target) else target
        return inspect.iscoroutinefunction(getattr(run, "__func__", run))

    def of(self, target: Callable[..., Any]) -> "JobDefinition":
        """Return the definition of *target*, which bears the mark of this job.

        A decorator above `@job_name` copies the mark to what it returns, and that is what is to run.

        Raises InvalidJob if it made something else of a class.
        """
        if target is self._target:
            return self
        if inspect.isclass(self._target) and not inspect.isclass(target):
            raise InvalidJob(
                f"A decorator above @job_name({self.name!r}) made {describe(target)} of the class "
                f"{self._target.__qualname__}: put @job_name({self.name!r}) on top."
            )
        definition = JobDefinition(
            self.name,
            target,
            self.retry,
            self.timeout,
            process_per_instance=self.process_per_instance,
            expected=self.expected,
            concurrency=self.concurrency,
            hedge=self.hedge,
            reuse_process=self.reuse_process,
            aliases=self.aliases,
        )
        setattr(target, JOB_MARK, definition)
        return definition


def job_name(  # noqa: PLR0913 -- a job, and one argument for each of its options
    name: str,
    *,
    aliases: Iterable[str] = (),
    retry: Retry | None = None,
    timeout: float | timedelta | None = None,
    process_per_instance: bool = False,
    expected: float | timedelta | None = None,
    concurrency: int = 1,
    hedge: bool = False,
    reuse_process: bool = False,
) -> Callable[[_T], _T]:
    """Register a class with a `run` method, or a function, as the job *name*.

    *aliases* are names that it had before: kick-offs, schedules, stages and reruns under one of them find it.
    *retry* says which errors are tried again; without it none are. *timeout* is what one attempt may take,
    in seconds or as a timedelta; it ends sleeping and computing attempts alike (docs/containers.md).
    *expected* is how long an instance takes, more or less: a kick-off that could not end is refused then.
    *process_per_instance* forks a process for each attempt, for a job whose libraries leak or keep state; it
    costs some milliseconds, and threads that the module has started do not run there. *concurrency* is how
    many instances run at once in one container: coroutines on one event loop, processes with
    *process_per_instance*, and threads otherwise (docs/jobs.md). *hedge* lets a container that is done run a
    copy of an instance that takes far longer than the others did; the first outcome counts. Say so only of a
    job that is idempotent, also where two run at the same time. *reuse_process* lets the process that is done
    with a share in a warm worker work on the next one of this job, so that what the job has loaded or
    connected stays; elsewhere it means nothing.

    `run` takes the params (a dict, or whatever type its annotation names: pydantic validates them) and, if
    it wants one, a JobContext. What it returns is the instance's result, anything that JSON can hold.
    Calling the decorated class or function stays a plain local call. docs/jobs.md says what may be a job.

    Raises InvalidJob if an argument or the signature cannot serve.
    """
    _refuse_name(name)
    earlier_names = _read_aliases(name, aliases)
    if retry is not None and not isinstance(retry, Retry):
        raise InvalidJob(
            f"The job {name!r} has retry={describe(retry)}: write retry=Retry(max_attempts=3), "
            "with Retry from background_jobs."
        )
    if not isinstance(process_per_instance, bool):
        raise InvalidJob(
            f"The job {name!r} has process_per_instance={describe(process_per_instance)}: "
            "write True or False."
        )

    _refuse_concurrency(name, concurrency)
    _refuse_hedge(name, hedge, concurrency)
    _refuse_reuse(name, reuse_process, process_per_instance=process_per_instance)
    seconds = _to_seconds(name, "timeout", timeout)
    expected_seconds = _to_seconds(name, "expected", expected)

    def register(target: _T) -> _T:
        definition = JobDefinition(
            name,
            target,
            retry or ONCE,
            seconds,
            process_per_instance=process_per_instance,
            expected=expected_seconds,
            concurrency=concurrency,
            hedge=hedge,
            reuse_process=reuse_process,
            aliases=earlier_names,
        )
        try:
            setattr(target, JOB_MARK, definition)
        except (AttributeError, TypeError):
            raise InvalidJob(
                f"{describe(target)} cannot be the job {name!r}: write a function that calls it."
            ) from None
        return target

    return register


def find_definition(target: object) -> JobDefinition:
    """Return what `@job_name` registered for *target*. Raises InvalidJob if it was not decorated."""
    definition = vars(target).get(JOB_MARK) if hasattr(target, "__dict__") else None
    if not isinstance(definition, JobDefinition) or not callable(target):
        raise InvalidJob(f"{describe(target)} is not a job: decorate it with @job_name('...').")
    return definition.of(target)


class Jobs:
    """The jobs of one service, by their names and aliases. Raises InvalidJob."""

    def __init__(self, targets: Iterable[object]) -> None:
        if isinstance(targets, str) or not isinstance(targets, Iterable):
            raise InvalidJob(f"run_e11_job takes a list of jobs, as in [ProcessBatch]: {describe(targets)}.")
        self._definitions: dict[str, JobDefinition] = {}
        for definition in map(find_definition, targets):
            for name in (definition.name, *definition.aliases):
                if name in self._definitions:
                    raise InvalidJob(_explain_taken(name, self._definitions[name], definition))
                self._definitions[name] = definition
        if not self._definitions:
            raise InvalidJob("run_e11_job takes a list of jobs, as in [ProcessBatch], and this one is empty.")

    @property
    def names(self) -> list[str]:
        """Return the names of the jobs and their aliases, sorted."""
        return sorted(self._definitions)

    @property
    def modules(self) -> set[str]:
        """Return the names of the modules that define them."""
        return {definition.module for definition in self._definitions.values()}

    def read_annotations(self) -> None:
        """Read the type of params of every job. Raises InvalidJob where that is impossible."""
        for definition in self._definitions.values():
            _ = definition.params_type

    def describe(self) -> list[JobDescription]:
        """Return what the jobs publish of themselves, by name. Raises InvalidJob as above."""
        return [self._definitions[name].describe() for name in self.names if self._is_own(name)]

    def _is_own(self, name: str) -> bool:
        """Tell whether *name* is the name of a job, not one of its aliases."""
        return self._definitions[name].name == name

    def get(self, name: str) -> JobDefinition:
        """Return the job that has this name or alias, whose annotations can be read.

        Raises UnknownJobName or InvalidJob.
        """
        try:
            definition = self._definitions[name]
        except KeyError:
            raise UnknownJobName(name, self._definitions) from None
        _ = definition.params_type
        return definition


def _refuse_name(name: object) -> None:
    if callable(name):
        written = getattr(name, "__name__", "job")
        raise InvalidJob(f'@job_name needs the name of the job: write @job_name("{written}").')
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidJob(
            f"{describe(name)} cannot be a job name: use text of up to {limits.JOB_NAME_CHARACTERS} of: "
            "letters, digits, '_', '.' and '-'."
        )


def _read_aliases(name: str, aliases: object) -> tuple[str, ...]:
    """Return the aliases of the job *name*. Raises InvalidJob."""
    if isinstance(aliases, str) or not isinstance(aliases, Iterable):
        raise InvalidJob(
            f"The job {name!r} has aliases={describe(aliases)}: write the names that it had before in a "
            f'list, as in aliases=["{name}-v1"].'
        )
    read = tuple(aliases)
    for alias in read:
        _refuse_name(alias)
        if alias == name or read.count(alias) > 1:
            raise InvalidJob(f"The job {name!r} has the alias {alias!r} twice, or as its name: name it once.")
    return read


def _explain_taken(name: str, first: JobDefinition, second: JobDefinition) -> str:
    if first.name == second.name == name:
        return f"Two jobs are named {name!r}; each name may be used once."
    return f"{name!r} is a name or an alias of {first.name!r} and of {second.name!r}; each may be used once."


def _refuse_concurrency(name: str, concurrency: object) -> None:
    if isinstance(concurrency, bool) or not isinstance(concurrency, int):
        raise InvalidJob(
            f"The job {name!r} has concurrency={describe(concurrency)}: write how many instances run at once "
            "in one container, as in concurrency=8."
        )
    if not 1 <= concurrency <= limits.CONCURRENCY:
        raise InvalidJob(
            f"The job {name!r} has concurrency={concurrency}; it must be from 1 to {limits.CONCURRENCY:,}."
        )


def _refuse_hedge(name: str, hedge: object, concurrency: int) -> None:
    if not isinstance(hedge, bool):
        raise InvalidJob(f"The job {name!r} has hedge={describe(hedge)}: write True or False.")
    if hedge and concurrency > 1:
        raise InvalidJob(
            f"The job {name!r} has hedge=True and concurrency={concurrency}: one of several attempts in a "
            "process cannot be stopped for sure when a copy is done first. Leave out one of the two."
        )


def _refuse_reuse(name: str, reuse_process: object, *, process_per_instance: bool) -> None:
    if not isinstance(reuse_process, bool):
        raise InvalidJob(
            f"The job {name!r} has reuse_process={describe(reuse_process)}: write True or False."
        )
    if reuse_process and process_per_instance:
        raise InvalidJob(
            f"The job {name!r} has reuse_process=True and process_per_instance=True: what an instance loads "
            "in a process of its own ends with it. Leave out one of the two."
        )


def _to_seconds(name: str, option: str, value: object) -> float | None:
    """Return *value* in seconds; None for none. Raises InvalidJob."""
    if value is None:
        return None
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise InvalidJob(
            f"The job {name!r} has {option}={describe(value)}: write it in seconds, as in {option}=90, "
            "or as a timedelta."
        )
    if not 0 < seconds <= limits.TIMEOUT_SECONDS:
        raise InvalidJob(
            f"The job {name!r} has {option}={seconds} s; it must be above 0, and at most "
            f"{limits.TIMEOUT_DAYS} days."
        )
    return seconds
