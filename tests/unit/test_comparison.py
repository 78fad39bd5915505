"""Two orchestrations beside each other: which causes are new, gone or the same."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from background_jobs.core.statuses import OrchestrationStatus
from background_jobs.core.views.causes import Cause, FailureDigest
from background_jobs.core.views.comparison import compare
from background_jobs.core.views.orchestration import Counts, OrchestrationView

NOW = datetime(2026, 11, 27, 12, 0, 0, tzinfo=UTC)


def view(**fields: Any) -> OrchestrationView:
    counts = Counts(waiting=0, running=0, completed=7, errored=3)
    return OrchestrationView.model_construct(
        orchestration_id="a",
        job_name="halve",
        total=10,
        counts=counts,
        started_at=NOW - timedelta(hours=1),
        completed_at=NOW - timedelta(minutes=30),
        **{"status": OrchestrationStatus.ERRORED} | fields,
    )


def cause(kind: str, message: str, place: str, count: int) -> Cause:
    return Cause(cause_id="0" * 12, type=kind, message=message, place=place, count=count, indices=[0])


def digest(*causes: Cause, more: int = 0) -> FailureDigest:
    failed = sum(cause.count for cause in causes)
    return FailureDigest(total=10, failed=failed, causes=list(causes), more_causes=more)


def test_a_cause_is_the_same_where_only_values_and_lines_differ() -> None:
    compared = compare(
        view(),
        view(),
        digest(
            cause("ValueError", "order 12 has no currency", "jobs.py:57 in run", 5),
            cause("KeyError", "'region'", "jobs.py:62 in run", 2),
        ),
        digest(
            cause("ValueError", "order 99 has no currency", "jobs.py:60 in run", 1),
            cause("KeyError", "'region'", "other.py:62 in run", 3),
        ),
        now=NOW,
    )
    assert [(one.message, one.before, one.after) for one in compared.same] == [
        ("order 99 has no currency", 5, 1)
    ]
    assert [(one.place, one.before, one.after) for one in compared.gone] == [("jobs.py:62 in run", 2, 0)]
    assert [(one.place, one.before, one.after) for one in compared.new] == [("other.py:62 in run", 0, 3)]


def test_durations_are_those_until_the_end_or_until_now() -> None:
    ended = compare(view(), view(), digest(), digest(), now=NOW)
    assert (ended.before.seconds, ended.after.seconds) == (1_800, 1_800)
    running = view().model_copy(update={"completed_at": None})
    assert compare(view(), running, digest(), digest(), now=NOW).after.seconds == 3_600


def test_causes_beyond_those_that_are_told_apart_are_counted() -> None:
    assert compare(view(), view(), digest(more=3), digest(more=4), now=NOW).more_causes == 7


@pytest.mark.parametrize("status", OrchestrationStatus)
def test_an_orchestration_is_compared_whatever_its_status(status: OrchestrationStatus) -> None:
    compared = compare(view(status=status), view(), digest(), digest(), now=NOW)
    assert (compared.before.status, compared.after.status) == (status, OrchestrationStatus.ERRORED)
