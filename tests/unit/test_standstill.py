"""When an orchestration stands still, and why."""

from datetime import timedelta
from typing import Any

import pytest

from background_jobs.core.containers.delays import DelayReason
from background_jobs.core.fold import fold
from background_jobs.core.read_model import ReadModel, Summary
from background_jobs.core.views.orchestration import OrchestrationView
from background_jobs.core.views.standstill import find_standstill
from tests.unit.histories import (
    ORCHESTRATION_ID,
    at,
    attempt_failed,
    job_completed,
    job_started,
    started,
)

MINUTE = 60


def folded(*events: Any) -> Summary:
    return fold(ReadModel(Summary(orchestration_id=ORCHESTRATION_ID)), events).model.summary


def test_what_has_not_moved_for_minutes_stands_still_and_has_no_remaining_time() -> None:
    # given four instances that ended within seconds, and one that runs since
    summary = folded(
        started(9),
        *(job_completed(index, seconds=2 + index) for index in range(4)),
        job_started(4, seconds=6),
    )
    # then it is running for five minutes, with a remaining time, and stands still after them
    running = OrchestrationView.of(summary, at(6 + 5 * MINUTE))
    assert (running.standstill, running.eta_seconds is None) == (None, False)
    still = OrchestrationView.of(summary, at(7 + 5 * MINUTE))
    assert still.standstill is not None
    assert still.standstill.since == at(6)
    assert still.standstill.why == "1 instance runs and has reported nothing; 4 instances wait"
    assert still.eta_seconds is None


def test_long_instances_are_given_three_times_what_those_before_them_took() -> None:
    # given two at once, which took an hour each
    hour = 60 * MINUTE
    events = [job_started(index, seconds=index // 2 * hour) for index in range(4)]
    ends = [job_completed(index, seconds=hour).model_copy(update={"started_at": at(0)}) for index in range(2)]
    summary = folded(started(8), *events, *ends)
    assert find_standstill(summary, at(4 * hour)) is None
    assert find_standstill(summary, at(4 * hour + 1)) is not None


@pytest.mark.parametrize(
    ("events", "minutes", "why"),
    [
        ([], 5, "3 instances wait for a container"),
        (
            [job_started(0, seconds=0)],
            30,
            "1 instance runs and has reported nothing; 2 instances wait",
        ),
        (
            [attempt_failed(0, seconds=0), attempt_failed(1, seconds=0)],
            5,
            "2 instances failed and wait for their next attempt; 1 instance waits",
        ),
    ],
)
def test_the_reason_says_what_the_instances_are_at(events: list[Any], minutes: int, why: str) -> None:
    summary = folded(started(3), *events)
    assert find_standstill(summary, at(minutes * MINUTE)) is None
    standstill = find_standstill(summary, at(minutes * MINUTE + 1))
    assert standstill is not None
    assert (standstill.since, standstill.why) == (at(0), why)


def test_what_keeps_shares_from_being_launched_is_named() -> None:
    standstill = find_standstill(folded(started(3)), at(0) + timedelta(hours=1), DelayReason.QUOTA)
    assert standstill is not None
    assert standstill.why == "3 instances wait (a quota is reached)"


def test_nothing_stands_still_once_every_instance_has_its_outcome() -> None:
    assert find_standstill(folded(started(1), job_completed(0)), at(9 * 60 * MINUTE)) is None
