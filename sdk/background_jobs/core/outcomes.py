"""The outcomes of instances as callers get them, each with the params of its instance."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from background_jobs.core.brief import brief
from background_jobs.core.errors import BackgroundJobsError
from background_jobs.core.events import FailedAttempt, JobError


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
class Success(Outcome):
    """The outcome of a job instance that returned."""

    result: Any

    def __repr__(self) -> str:
        return f"Success(index={self.index}, params={brief(self.params)}, result={brief(self.result)})"


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


class JobFailed(BackgroundJobsError):
    """A job instance gave up; *failure* holds its outcome."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(
            f"{failure.job_name}[{failure.index}] {failure.error.type}: {failure.error.message} "
            f"(params: {brief(failure.params)})"
        )
