"""The outcomes of instances as callers get them, each with the params of its instance."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Generic

from typing_extensions import TypeVar

from background_jobs.core.brief import brief
from background_jobs.core.errors import BackgroundJobsError
from background_jobs.core.events import FailedAttempt, JobError
from background_jobs.core.typed_results import ResultType

R_co = TypeVar("R_co", covariant=True, default=Any)
"""What the instances of a job return; Any where the job is known by its name alone."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Outcome:
    """How one job instance ended."""

    orchestration_id: str
    job_name: str
    job_id: str
    index: int
    params: dict[str, Any]
    attempts: int
    started_at: datetime | None
    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Success(Outcome, Generic[R_co]):
    """The outcome of a job instance that returned."""

    result_json: Any
    """What it returned, as plain JSON."""
    result_type: ResultType | None = field(default=None, compare=False)
    _read: tuple[Any] | None = field(default=None, compare=False)

    @property
    def result(self) -> R_co:
        """Return what the instance returned, as the type that the job is annotated with.

        It is plain JSON where the handle knows the job by its name alone, or the job has no annotation.
        Raises ResultMismatch if it does not fit the type; *result_json* has it all the same.
        """
        if self.result_type is None:
            return self.result_json  # type: ignore[no-any-return] # R_co is Any
        if self._read is None:
            object.__setattr__(self, "_read", (self.result_type.read(self.index, self.result_json),))
        assert self._read is not None  # noqa: S101 -- for type checkers
        return self._read[0]  # type: ignore[no-any-return] # as above

    def __repr__(self) -> str:
        return f"Success(index={self.index}, params={brief(self.params)}, result={brief(self.result_json)})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Failure(Outcome):
    """The outcome of a job instance that gave up."""

    error: JobError
    failed_attempts: tuple[FailedAttempt, ...]
    """The attempts before the last one, oldest first; only the last ten of more than ten."""
    log: str
    """The place of its container's log; empty if it never had a container."""

    def __repr__(self) -> str:
        error = brief(f"{self.error.type}: {self.error.message}")
        return f"Failure(index={self.index}, params={brief(self.params)}, error={error})"

    def exception(self) -> "JobFailed":
        """Return the failure as an exception that can be raised."""
        return JobFailed(self)


def as_type(
    outcomes: Iterator[Success | Failure], result_type: ResultType | None
) -> Iterator[Success | Failure]:
    """Return *outcomes*, their results to be read as *result_type*; as they are where it is None."""
    if result_type is None:
        return outcomes
    return (
        replace(outcome, result_type=result_type) if isinstance(outcome, Success) else outcome
        for outcome in outcomes
    )


class JobFailed(BackgroundJobsError):
    """A job instance gave up; *failure* holds its outcome."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(
            f"{failure.job_name}[{failure.index}] {failure.error.type}: {failure.error.message} "
            f"(params: {brief(failure.params)})"
        )
