"""Containers whose jobs have threads and processes of their own, and a main without any guard."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from background_jobs import OrchestrationService
from background_jobs.aws.stores import Stores
from background_jobs.core.events import ContainerEnded, JobAttemptFailed
from background_jobs.local_stack import LocalStack
from tests.offline import containers, until

PATIENCE = 120


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with LocalStack(jobs=str(Path(__file__).with_name("careless_jobs.py")), containers=2) as stack:
        yield stack


def test_a_thread_that_the_module_of_a_job_has_started_answers_its_job(service: OrchestrationService) -> None:
    orchestration = service.kick_off_job("ask_thread", [{"n": n} for n in range(3)], parallelism=1)
    successes, failures = service.get_job_results(orchestration.id, timeout=PATIENCE)
    assert failures is None
    assert [success.result for success in successes] == [0, 1, 4]


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_process_that_a_job_makes_is_no_second_worker(
    service: OrchestrationService, tmp_path: Path, method: str
) -> None:
    """It runs the jobs' main, with the variables of its container."""
    runs = tmp_path / "runs"
    params = [{"n": n, "runs": str(runs), "method": method} for n in range(3)]
    orchestration = service.kick_off_job("ask_process", params, parallelism=1)
    successes, failures = service.get_job_results(orchestration.id, timeout=PATIENCE)
    assert failures is None
    assert [success.result for success in successes] == [0, 1, 4]
    assert runs.read_text().split() == ["0", "1", "2"]


def test_threads_and_handlers_that_a_job_leaves_behind_get_their_end(
    service: OrchestrationService, tmp_path: Path
) -> None:
    service.kick_off_job("leave", [{"folder": str(tmp_path)}])
    until(lambda: {path.name for path in tmp_path.iterdir()} == {"thread", "handler"})


def test_jobs_that_end_their_process_lose_neither_their_siblings_nor_what_they_printed(
    service: OrchestrationService, stack: LocalStack
) -> None:
    reasons = {"exit": "exit code 70", "kill": "signal 9", "terminate": "signal 15", "script": "signal 15"}
    ways = ["", "exit", "kill", "terminate", "script", "exit", ""]
    orchestration = service.kick_off_job("end", [{"how": way} for way in ways], parallelism=1)

    successes, failures = service.get_job_results(orchestration.id, timeout=PATIENCE)

    assert [success.index for success in successes] == [0, 6]
    assert [(f.index, f.error.type, f.attempts) for f in failures or []] == [
        (n, "ContainerLost", 2) for n in range(1, 6)
    ]
    assert all(
        reasons[way] in failure.error.message for way, failure in zip(ways[1:6], failures or [], strict=True)
    )
    log = Path((failures or [])[0].log).read_text()
    assert [log.count(f"last words of {n}") for n in range(1, 6)] == [2] * 5
    # the first launch has seen it to the end
    events = Stores.of(stack.settings).event_log.read_all(orchestration.id, len(ways))
    assert [event.status for event in events if isinstance(event, ContainerEnded)] == [0]


def test_an_instance_that_ends_its_process_again_and_again_is_found_among_those_that_ran_beside_it(
    service: OrchestrationService, stack: LocalStack, tmp_path: Path
) -> None:
    params = [{"folder": str(tmp_path), "exits": n == 2} for n in range(4)]
    orchestration = service.kick_off_job("crowd", params, parallelism=1)

    successes, failures = service.get_job_results(orchestration.id, timeout=PATIENCE)

    # the others have run twice, and it has run with them, and twice alone
    assert [(success.index, success.result) for success in successes] == [(0, 2), (1, 2), (3, 2)]
    (failure,) = failures or []
    assert (failure.index, failure.error.type, failure.attempts) == (2, "ContainerLost", 3)
    # each line that they printed says whose it is
    for n in range(4):
        lines = [line for line in orchestration.log_lines(n) if line.message == f"last words of {n}"]
        assert [line.index for line in lines if line.attempt == 2] == [n]
    events = Stores.of(stack.settings).event_log.read_all(orchestration.id, len(params))
    assert [event.status for event in events if isinstance(event, ContainerEnded)] == [0]


def test_a_container_that_gets_sigterm_hands_back_all_that_run_and_their_outcomes_count(
    service: OrchestrationService, stack: LocalStack, tmp_path: Path
) -> None:
    # given three of four instances that run together
    orchestration = service.kick_off_job("patient", [{"folder": str(tmp_path)}] * 4, parallelism=1)
    until(lambda: len(list(tmp_path.iterdir())) == 3)
    # when their container is told to end
    (container,) = containers(stack.stack_id, orchestration.id)
    container.send_signal(signal.SIGTERM)
    event_log = Stores.of(stack.settings).event_log
    until(lambda: event_log.read_failed_and_later(orchestration.id, 4)[0] == 3)
    (tmp_path / "release").touch()
    # then they end in it, and the fourth runs in the next one
    successes, failures = service.get_job_results(orchestration.id, timeout=PATIENCE)
    assert failures is None
    assert [success.result for success in successes] == [1] * 4
    failed = [e for e in event_log.read_all(orchestration.id, 4) if isinstance(e, JobAttemptFailed)]
    assert sorted((e.index, e.error.type, e.counts) for e in failed) == [
        (n, "Interrupted", False) for n in range(3)
    ]
