"""A job with a process for each instance: nothing stays, and everything arrives."""

import atexit
import ctypes
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from background_jobs import Failure, JobContext, OrchestrationService, Success, job_name
from background_jobs.aws.stores import Stores
from background_jobs.core.events import JobProgressed
from background_jobs.jobs import Jobs
from background_jobs.orchestration_service import Orchestration
from background_jobs.tracing import NoTracing
from background_jobs.worker import container
from background_jobs.worker.descendants import adopting_orphans
from tests.offline import is_running, until

STATE: list[int] = []
PROCESS = os.getpid()


@job_name("alone", process_per_instance=True)
def alone(params: dict[str, Any], job: JobContext) -> Any:
    """Do as the params say, and tell what other instances left in this process."""
    STATE.append(job.index)
    match params.get("how"):
        case "raise":
            raise ValueError("7 is odd")
        case "exit":
            os._exit(9)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "script":
            subprocess.run(["sh", "-c", "kill 0"], check=False)
        case "large":
            return "x" * 60_000
        case "opaque":
            return object()
        case "at exit":
            atexit.register(Path(params["file"]).write_text, "called")
        case "report":
            job.progress(40, "half way")
    return [os.getpid() == PROCESS, STATE]


Run = Callable[[list[dict[str, Any]]], tuple[list[Success], list[Failure], Orchestration]]


@pytest.fixture
def run(service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any]) -> Run:
    def run(params: list[dict[str, Any]]) -> tuple[list[Success], list[Failure], Orchestration]:
        orchestration = service.kick_off_job("alone", params, parallelism=1)
        launch(orchestration, jobs=Jobs([alone]))
        aggregate()
        successes, failures = service.get_job_results(orchestration.id, timeout=0)
        return successes, failures or [], orchestration

    return run


def test_an_instance_with_a_process_of_its_own_leaves_nothing_to_the_next(run: Run) -> None:
    successes, failures, _ = run([{}, {}, {}])
    assert [success.result for success in successes] == [[False, [n]] for n in range(3)]
    assert failures == []
    assert STATE == []


def test_handlers_that_an_instance_registers_are_called_at_the_end_of_its_process(
    run: Run, tmp_path: Path
) -> None:
    run([{"how": "at exit", "file": str(tmp_path / "flushed")}])
    assert (tmp_path / "flushed").read_text() == "called"


def test_results_failures_and_progress_arrive_from_another_process(run: Run, stores: Stores) -> None:
    successes, failures, orchestration = run([{"how": how} for how in ("large", "raise", "opaque", "report")])
    assert [success.index for success in successes] == [0, 3]
    assert successes[0].result == "x" * 60_000
    odd, opaque = failures
    assert (odd.error.type, odd.error.message) == ("ValueError", "7 is odd")
    assert 'raise ValueError("7 is odd")' in odd.error.traceback
    assert opaque.error.type.endswith("InvalidResult")
    events = stores.event_log.read_all(orchestration.id, 4)
    # an outcome stands for the progress that is written with it
    assert all(event.message == "half way" for event in events if isinstance(event, JobProgressed))


def test_an_instance_that_ends_its_own_process_is_tried_once_more(run: Run) -> None:
    successes, failures, _ = run([{}, {"how": "exit"}, {"how": "kill"}, {"how": "script"}, {}])
    assert [success.index for success in successes] == [0, 4]
    assert [(failure.error.type, failure.attempts) for failure in failures] == [("ContainerLost", 2)] * 3
    assert "exit code 9" in failures[0].error.message
    assert "signal 9" in failures[1].error.message
    assert "signal 15" in failures[2].error.message


@job_name("deaf", process_per_instance=True, timeout=3)
def deaf(params: dict[str, Any]) -> None:
    if params["pid"]:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
        child = subprocess.Popen(["sleep", "600"], start_new_session=True)
        Path(params["pid"]).write_text(str(child.pid))
        ctypes.PyDLL(None).pause()


def test_the_process_of_an_attempt_that_takes_too_long_ends_with_all_that_it_started(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any], tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    orchestration = service.kick_off_job("deaf", [{"pid": str(pid)}, {"pid": ""}], parallelism=1)
    with adopting_orphans():
        launch(orchestration, jobs=Jobs([deaf]))
        assert not is_running(int(pid.read_text()))
    aggregate()
    successes, failures = service.get_job_results(orchestration.id, timeout=0)
    assert [success.index for success in successes] == [1]
    assert [failure.error.type for failure in failures or []] == ["AttemptTimeout"]


@job_name("patient", process_per_instance=True)
def wait_for_the_cancellation(params: dict[str, Any], job: JobContext) -> str:
    Path(params["running"]).touch()
    until(job.cancelled)
    return "saw it"


def test_a_process_of_an_attempt_sees_the_cancellation(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any], tmp_path: Path
) -> None:
    running = tmp_path / "running"
    orchestration = service.kick_off_job("patient", [{"running": str(running)}])
    canceller = threading.Thread(target=lambda: until(running.exists) is None or orchestration.cancel())
    canceller.start()
    launch(orchestration, jobs=Jobs([wait_for_the_cancellation]))
    canceller.join()
    aggregate()
    (success,) = service.get_job_results(orchestration.id, timeout=0).successes
    assert success.result == "saw it"


@job_name("daemons", process_per_instance=True, concurrency=2)
def leave_a_daemon(params: dict[str, Any], job: JobContext) -> bool:
    """Leave an orphan behind, and tell whether it has ended while another instance still runs."""
    pid = Path(params["pid"])
    if job.index == 0:
        script = f"setsid sleep 600 & echo $! > {pid}.new; mv {pid}.new {pid}"
        subprocess.run(["sh", "-c", script], check=True)
        return False
    until(pid.exists)
    until(lambda: not is_running(int(pid.read_text())))
    return True


def test_what_an_attempt_leaves_ends_with_its_process_while_others_run(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any], tmp_path: Path
) -> None:
    orchestration = service.kick_off_job("daemons", [{"pid": str(tmp_path / "pid")}] * 2, parallelism=1)
    with adopting_orphans():
        launch(orchestration, jobs=Jobs([leave_a_daemon]))
    aggregate()
    successes, failures = service.get_job_results(orchestration.id, timeout=0)
    assert failures is None
    assert [success.result for success in successes] == [False, True]


def test_a_collector_that_does_not_answer_is_waited_for_once_and_not_by_each_process(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a collector for which every process would wait some seconds
    waits, own = tmp_path / "waits", os.getpid()

    class Silent(NoTracing):
        @staticmethod
        def flush() -> bool:
            if os.getpid() != own:
                with waits.open("a") as file:
                    file.write("waited\n")
            return False

    monkeypatch.setattr(container, "tracing_of_container", lambda _service: Silent())
    # when several instances run, each in a process of its own
    successes, _, _ = run([{}] * 3)
    # then
    assert len(successes) == 3
    assert waits.read_text() == "waited\n"
