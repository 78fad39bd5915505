"""The results of an orchestration as callers get them, and what can be done about its failures."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, Unpack

from background_jobs.core.options import RerunKeywords
from background_jobs.core.outcomes import Failure, Success
from background_jobs.core.views.causes import FailureDigest

if TYPE_CHECKING:
    from background_jobs.orchestration_service.orchestration import Orchestration


class Failures(list[Failure]):
    """The failures of an orchestration, in the order of the params."""

    def __init__(self, failures: Iterable[Failure], orchestration: "Orchestration") -> None:
        super().__init__(failures)
        self._orchestration = orchestration

    def rerun(self, **options: Unpack[RerunKeywords]) -> "Orchestration":
        """Run them again in a new orchestration; the options are those of `Orchestration.rerun`."""
        return self._orchestration.rerun(**options)

    def digest(self) -> FailureDigest:
        """Return them grouped by cause, with the params that the failures of a cause share."""
        return self._orchestration.digest()


class JobResults(NamedTuple):
    """All outcomes of an orchestration, each part in the order of the params."""

    successes: list[Success]
    failures: Failures | None
    """None when there are none, so that ``if failures:`` and ``is None`` both read well."""

    def raise_on_failure(self) -> "JobResults":
        """Return these results, or raise an ExceptionGroup of one JobFailed per failure."""
        if self.failures:
            count = len(self.failures)
            raise ExceptionGroup(
                f"{count} of {count + len(self.successes)} job instances errored",
                [failure.exception() for failure in self.failures],
            )
        return self


def partition_outcomes(outcomes: Iterable[Success | Failure], orchestration: "Orchestration") -> JobResults:
    """Return the successes and the failures of *outcomes*; *orchestration* is the one that reruns them."""
    successes: list[Success] = []
    failures: list[Failure] = []
    for outcome in outcomes:
        if isinstance(outcome, Success):
            successes.append(outcome)
        else:
            failures.append(outcome)
    return JobResults(successes, Failures(failures, orchestration) if failures else None)
