import json
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from background_jobs.local_stack.process_runner import ProcessContainer, ProcessContainers, ProcessLauncher

Make = Callable[..., ProcessContainers]


@pytest.fixture
def containers_of(tmp_path: Path) -> Make:
    def make(code: str, limit: int = 2) -> ProcessContainers:
        return ProcessContainers(
            ProcessLauncher([sys.executable, "-c", code]), {"AWS_ENDPOINT_URL": "here"}, tmp_path, limit
        )

    return make


def started(containers: ProcessContainers, name: str = "one", **environment: str) -> ProcessContainer:
    return containers.run("image", environment=environment, name=name, detach=True)


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("pass", 0),
        ("raise SystemExit(7)", 7),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 128 + signal.SIGKILL),
    ],
)
def test_the_exit_code_is_kept_as_docker_tells_it(containers_of: Make, code: str, exit_code: int) -> None:
    container = started(containers_of(code))
    assert container.wait() == {"StatusCode": exit_code}
    assert container.status == "exited"


def test_a_container_has_its_own_environment_and_little_of_ours(
    containers_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_HOST", "x")
    containers = containers_of("import json, os; print(json.dumps(dict(os.environ)))")
    container = started(containers, JOB_NAME="census", AWS_CONTAINER_CREDENTIALS_FULL_URI="http://away")
    container.wait()
    logged = container.logs()
    assert isinstance(logged, bytes)
    environment = json.loads(logged)
    assert environment["JOB_NAME"] == "census"
    assert environment["AWS_ENDPOINT_URL"] == "here"
    assert "SECRET_OF_THE_HOST" not in environment
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" not in environment


def test_no_more_run_at_once_than_allowed(containers_of: Make) -> None:
    containers = containers_of("import time; time.sleep(60)", limit=1)
    first = started(containers, "first")
    waiting = threading.Thread(target=started, args=(containers, "second"), daemon=True)
    waiting.start()
    assert [container.name for container in containers.list()] == ["first"]

    first.stop(timeout=5)

    waiting.join(timeout=10)
    (second,) = containers.list()
    assert second.name == "second"
    second.remove(force=True)


def test_stopping_asks_first_and_then_forces(containers_of: Make) -> None:
    polite = started(containers_of("import time; time.sleep(60)"))
    polite.stop(timeout=5)
    polite.wait()
    assert polite.exit_code == 128 + signal.SIGTERM

    deaf = started(
        containers_of(
            "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
        )
    )
    follow = deaf.logs(stream=True)
    assert not isinstance(follow, bytes)
    next(follow)  # it has gone deaf
    deaf.stop(timeout=0.2)
    deaf.wait()
    assert deaf.exit_code == 128 + signal.SIGKILL


def test_stopping_reaches_the_children_of_the_job(containers_of: Make) -> None:
    code = "import subprocess, sys, time; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); time.sleep(60)"
    container = started(containers_of(code))
    follow = container.logs(stream=True)
    assert not isinstance(follow, bytes)
    child = psutil.Process(int(next(follow)))
    container.stop(timeout=5)
    psutil.wait_procs([child], timeout=5)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
