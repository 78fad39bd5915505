"""What type checkers take for a job: its params and its result are known from its signature."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeAlias, TypeVar

from background_jobs.jobs.context import JobContext

P = TypeVar("P")
"""What the instances of a job are given."""
M = TypeVar("M", bound=Mapping[str, Any])
"""The same, where it is a dict: checkers infer another type for a literal one than the job asks for."""
R = TypeVar("R")
"""What they return."""
_P_contra = TypeVar("_P_contra", contravariant=True)
_R_co = TypeVar("_R_co", covariant=True)


class _Runs(Protocol[_P_contra, _R_co]):
    def run(self, params: _P_contra, /) -> _R_co: ...


class _RunsWithContext(Protocol[_P_contra, _R_co]):
    def run(self, params: _P_contra, job: JobContext, /) -> _R_co: ...


CoroutineJob: TypeAlias = (
    Callable[[P], Awaitable[R]]
    | Callable[[P, JobContext], Awaitable[R]]
    | Callable[[], _Runs[P, Awaitable[R]]]
    | Callable[[], _RunsWithContext[P, Awaitable[R]]]
)
"""A decorated coroutine function, or class with one, that takes params of type P and returns an R."""
Job: TypeAlias = (
    Callable[[P], R]
    | Callable[[P, JobContext], R]
    | Callable[[], _Runs[P, R]]
    | Callable[[], _RunsWithContext[P, R]]
)
"""A decorated function or class of the same kind, with or without a JobContext."""
