"""Waiting for results: what has ended is read meanwhile, so that a large orchestration leaves little to its end."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from background_jobs import JobResults, Orchestration, OrchestrationService
from background_jobs.aws.stores import Stores
from background_jobs.orchestration_service import ended_outcomes
from background_jobs.orchestration_service.steps import Pause
from tests.memory import append_events
from tests.unit.histories import job_completed, job_errored

TOTAL = 1_100
"""Five partitions of the log, the last of which is not full."""


@pytest.fixture
def end(stores: Stores, aggregate: Callable[[], list[Any]]) -> Callable[[Orchestration, range], None]:
    """Give instances their outcomes, and fold them."""

    def end(orchestration: Orchestration, indices: range) -> None:
        events = [
            job_errored(index) if index == 3 else job_completed(index, result=-index) for index in indices
        ]
        append_events(
            stores, *(event.model_copy(update={"orchestration_id": orchestration.id}) for event in events)
        )
        assert aggregate() == []

    return end


def wait_for_results(orchestration: Orchestration, pauses: list[Callable[[], None]]) -> JobResults:
    """Wait, and have each pause do the next of *pauses*."""
    task = orchestration.steps.results(None, merged=False)
    answer: Any = None
    with ExitStack() as resources:
        while True:
            try:
                step = task.send(answer)
            except StopIteration as done:
                results: JobResults = done.value
                return results
            answer = pauses.pop(0)() if isinstance(step, Pause) else step.run(resources)


def test_what_has_ended_is_read_while_the_rest_runs_and_never_again(
    service: OrchestrationService,
    end: Callable[[Orchestration, range], None],
    dynamodb_calls: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ended_outcomes, "_FEWEST", 250)
    orchestration = service.kick_off_job("count", ({"n": n} for n in range(TOTAL)), parallelism=2)
    # given that the second share is done, and of the first one a partition and a half
    end(orchestration, range(550, TOTAL))
    end(orchestration, range(375))
    dynamodb_calls.clear()
    read_meanwhile: list[int] = []

    def end_the_rest() -> None:
        read_meanwhile.append(dynamodb_calls.count("Query"))
        end(orchestration, range(375, 550))
        dynamodb_calls.clear()

    # when a caller waits for the results
    successes, failures = wait_for_results(orchestration, [end_the_rest])
    # then three of the partitions were read before the end, and the two others after it
    assert read_meanwhile == [3]
    assert dynamodb_calls.count("Query") == 2
    # and every outcome is there, in the order of the params
    assert failures is not None
    assert [failure.index for failure in failures] == [3]
    assert [(success.params["n"], success.result) for success in successes] == [
        (index, -index) for index in range(TOTAL) if index != 3
    ]


def test_who_only_waits_reads_no_results(
    service: OrchestrationService,
    end: Callable[[Orchestration, range], None],
    dynamodb_calls: list[str],
) -> None:
    orchestration = service.kick_off_job("count", ({"n": n} for n in range(TOTAL)), parallelism=2)
    end(orchestration, range(TOTAL))
    dynamodb_calls.clear()
    assert orchestration.wait().completed == TOTAL - 1
    assert dynamodb_calls == ["GetItem"]
