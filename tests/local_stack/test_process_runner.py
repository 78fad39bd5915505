"""Containers as child processes: their variables, exit codes, limits and ends."""

import json
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from background_jobs.local_stack.launchers import ProcessLauncher
from background_jobs.local_stack.process_runner import ProcessContainer, ProcessContainers
from background_jobs.local_stack.service_launcher import ServiceLauncher
from tests.offline import is_running

Make = Callable[..., ProcessContainers]


@pytest.fixture
def make_containers(tmp_path: Path) -> Make:
    def make(code: str, limit: int = 2) -> ProcessContainers:
        launcher = ServiceLauncher({"default": ProcessLauncher([sys.executable, "-c", code])})
        return ProcessContainers(launcher, {"AWS_ENDPOINT_URL": "here"}, tmp_path, limit)

    return make


def run_container(containers: ProcessContainers, name: str = "one", **variables: str) -> ProcessContainer:
    return containers.run("image", environment=variables, name=name, detach=True)


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("pass", 0),
        ("raise SystemExit(7)", 7),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 128 + signal.SIGKILL),
    ],
)
def test_the_exit_code_is_kept_as_docker_tells_it(make_containers: Make, code: str, exit_code: int) -> None:
    container = run_container(make_containers(code))
    assert container.wait() == {"StatusCode": exit_code}
    assert container.status == "exited"


def test_a_container_has_its_own_variables_and_few_of_ours(
    make_containers: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_HOST", "x")
    containers = make_containers("import json, os; print(json.dumps(dict(os.environ)))")
    container = run_container(containers, JOB_NAME="census", AWS_CONTAINER_CREDENTIALS_FULL_URI="http://away")
    container.wait()
    logged = container.logs()
    assert isinstance(logged, bytes)
    variables = json.loads(logged)
    assert variables["JOB_NAME"] == "census"
    assert variables["AWS_ENDPOINT_URL"] == "here"
    assert "SECRET_OF_THE_HOST" not in variables
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" not in variables


def test_no_more_run_at_once_than_allowed(make_containers: Make) -> None:
    containers = make_containers("import time; time.sleep(60)", limit=1)
    first = run_container(containers, "first")
    waiting = threading.Thread(target=run_container, args=(containers, "second"), daemon=True)
    waiting.start()
    assert [container.name for container in containers.list()] == ["first"]

    first.stop(timeout=5)

    waiting.join(timeout=10)
    (second,) = containers.list()
    assert second.name == "second"
    second.remove(force=True)


def test_stopping_asks_first_and_then_forces(make_containers: Make) -> None:
    polite = run_container(make_containers("import time; time.sleep(60)"))
    polite.stop(timeout=5)
    polite.wait()
    assert polite.exit_code == 128 + signal.SIGTERM

    deaf = run_container(
        make_containers(
            "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
        )
    )
    follow = deaf.logs(stream=True)
    assert not isinstance(follow, bytes)
    next(follow)  # it has gone deaf
    deaf.stop(timeout=0.2)
    deaf.wait()
    assert deaf.exit_code == 128 + signal.SIGKILL


def test_stopping_reaches_the_children_of_the_job(make_containers: Make) -> None:
    code = "import subprocess, sys, time; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); time.sleep(60)"
    container = run_container(make_containers(code))
    follow = container.logs(stream=True)
    assert not isinstance(follow, bytes)
    child = psutil.Process(int(next(follow)))
    container.stop(timeout=5)
    psutil.wait_procs([child], timeout=5)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_container_that_is_killed_leaves_no_process_in_a_session_of_its_own(make_containers: Make) -> None:
    code = (
        "import subprocess, time; "
        "print(subprocess.Popen(['sleep', '600'], start_new_session=True).pid, flush=True); time.sleep(600)"
    )
    container = run_container(make_containers(code))
    follow = container.logs(stream=True)
    assert not isinstance(follow, bytes)
    pid = int(next(follow))

    container.remove(force=True)

    container.wait()
    assert not is_running(pid)
