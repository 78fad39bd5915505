"""The results of an orchestration as callers get them, and what can be done about its failures."""

from collections.abc import Iterable, Iterator, Mapping
from heapq import merge
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Unpack

from background_jobs.core.options import RerunKeywords
from background_jobs.core.outcomes import Failure, Outcome, R_co, Success
from background_jobs.core.views.causes import FailureDigest
from background_jobs.core.views.notebook import failures_html, successes_html
from background_jobs.core.wording import count_of
from background_jobs.orchestration_service import exports

if TYPE_CHECKING:
    from background_jobs.orchestration_service.orchestration import Orchestration


class Successes(list[Success[R_co]], Generic[R_co]):
    """The successes of an orchestration, in the order of the params."""

    def total(self, field: str | None = None) -> Any:  # noqa: ANN401 -- whatever numbers add up to
        """Return the sum of all results, or of one *field* of each; 0 where there are none.

        Raises ValueError, which names the instance, if one has no number there.
        """
        return sum(_number_in(success, field) for success in self)

    def __repr__(self) -> str:
        return _brief_list("Successes", self)

    def _repr_html_(self) -> str:
        return successes_html(self)


def _number_in(success: Success, field: str | None) -> Any:  # noqa: ANN401 -- an int or a float
    result = success.result
    if field is None:
        number = result
    else:
        number = result.get(field) if isinstance(result, Mapping) else getattr(result, field, None)
    if isinstance(number, bool) or not isinstance(number, int | float):
        what = "is no number" if field is None else f"has no number {field!r}"
        raise ValueError(f"The result of instance {success.index} {what}, so there is no total.")  # noqa: TRY004 -- a value of a job
    return number


class FailureList(list[Failure]):
    """Failures in the order of the params."""

    def __repr__(self) -> str:
        return _brief_list("Failures", self)

    def _repr_html_(self) -> str:
        return failures_html(self)


class Failures(FailureList, Generic[R_co]):
    """The failures of an orchestration, in the order of the params."""

    def __init__(self, failures: Iterable[Failure], orchestration: "Orchestration[R_co]") -> None:
        super().__init__(failures)
        self._orchestration = orchestration

    def rerun(self, **options: Unpack[RerunKeywords]) -> "Orchestration[R_co]":
        """Run them again in a new orchestration; the options are those of `Orchestration.rerun`."""
        return self._orchestration.rerun(**options)

    def digest(self) -> FailureDigest:
        """Return them grouped by cause, with the params that the failures of a cause share."""
        return self._orchestration.digest()


class JobResults(NamedTuple, Generic[R_co]):
    """All outcomes of an orchestration, each part in the order of the params."""

    successes: Successes[R_co]
    failures: Failures[R_co] | None
    """None when there are none, so that ``if failures:`` and ``is None`` both read well."""

    def __repr__(self) -> str:
        return describe_results(self.successes, self.failures)

    def _repr_html_(self) -> str:
        return results_html(self.successes, self.failures)

    def raise_on_failure(self) -> "JobResults[R_co]":
        """Return these results, or raise an ExceptionGroup of one JobFailed per failure."""
        raise_failures(self.successes, self.failures)
        return self

    def to_pandas(self) -> Any:  # noqa: ANN401 -- pandas may be absent
        """Return all outcomes as a DataFrame, a row an instance, in the order of the params.

        Params, and results that are objects, have a column for each of their fields: ``params.customer``,
        ``result.total``. Raises LibraryNotInstalled.
        """
        return exports.to_pandas(in_order(self.successes, self.failures))

    def to_jsonl(self, path: str | Path) -> None:
        """Write all outcomes to a file, a line of JSON an instance, in the order of the params."""
        exports.write_jsonl(in_order(self.successes, self.failures), path)

    def to_parquet(self, path: str | Path) -> None:
        """Write the table of `to_pandas` to a file of Parquet.

        A column with objects, arrays or values of several types is of JSON texts. Raises LibraryNotInstalled.
        """
        exports.write_parquet(in_order(self.successes, self.failures), path)


def partition_outcomes(
    outcomes: Iterable[Success[R_co] | Failure], orchestration: "Orchestration[R_co]"
) -> JobResults[R_co]:
    """Return the successes and the failures of *outcomes*; *orchestration* is the one that reruns them."""
    successes: list[Success[R_co]] = []
    failures: list[Failure] = []
    for outcome in outcomes:
        if isinstance(outcome, Success):
            successes.append(outcome)
        else:
            failures.append(outcome)
    return JobResults(Successes(successes), Failures(failures, orchestration) if failures else None)


def in_order(successes: Iterable[Success], failures: Iterable[Failure] | None) -> Iterator[Outcome]:
    """Yield all outcomes in the order of the params."""
    return merge(successes, failures or (), key=lambda outcome: outcome.index)


def raise_failures(successes: list[Success], failures: list[Failure] | None) -> None:
    """Raise an ExceptionGroup of one JobFailed per failure, if there are any."""
    if failures:
        count = len(failures)
        raise ExceptionGroup(
            f"{count} of {count + len(successes)} job instances errored",
            [failure.exception() for failure in failures],
        )


def describe_results(successes: list[Success], failures: list[Failure] | None) -> str:
    """Return the repr of results, which does not grow with them."""
    return f"JobResults(successes={successes!r}, failures={failures!r})"


def results_html(successes: list[Success], failures: list[Failure] | None) -> str:
    """Return results as HTML, failures first."""
    return (failures_html(failures) if failures else "") + successes_html(successes)


def _brief_list(name: str, outcomes: list[Any]) -> str:
    first = f", the first of them {outcomes[0]!r}" if outcomes else ""
    return f"<{name}: {count_of(len(outcomes), 'instance')}{first}>"
