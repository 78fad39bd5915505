"""A container engine for the tests: the one that runs, or one that is started for them and ended after them.

Nothing here waits without a deadline, and whatever is in the way becomes one sentence (EngineAbsent).
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ENGINE_SECONDS = 60
INSTALL_SECONDS = 240
MAY_INSTALL = "BACKGROUND_JOBS_INSTALL_DOCKER"


class EngineAbsent(Exception):
    """No engine runs here, and none can be started."""


@contextmanager
def engine() -> Iterator[dict[str, str]]:
    """Yield the variables with which `docker` finds an engine. Raises EngineAbsent."""
    if _answers({}):
        yield {}
        return
    if os.geteuid() != 0:
        raise EngineAbsent("no engine answers, and only root may start one")
    if shutil.which("dockerd") is None:
        _install()
    with tempfile.TemporaryDirectory(prefix="docker-") as folder, _started(Path(folder)) as variables:
        yield variables


def _answers(variables: dict[str, str]) -> bool:
    try:
        command = ["docker", "version", "--format", "{{.Server.Version}}"]
        environment = {**os.environ, **variables}
        return (
            subprocess.run(command, capture_output=True, timeout=10, check=False, env=environment).returncode
            == 0
        )
    except (OSError, subprocess.TimeoutExpired):
        return False


def _install() -> None:
    if "true" not in (os.environ.get("CI"), os.environ.get(MAY_INSTALL)):
        raise EngineAbsent(f"dockerd is not installed; {MAY_INSTALL}=true lets the tests install Debian's")
    if shutil.which("apt-get") is None:
        raise EngineAbsent("dockerd is not installed, and there is no apt-get to install it")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "--yes", "--no-install-recommends", "docker.io", "iptables"]):
        try:
            done = subprocess.run(
                ["apt-get", *words],
                capture_output=True,
                text=True,
                timeout=INSTALL_SECONDS,
                check=False,
                env=environment,
            )
        except subprocess.TimeoutExpired:
            raise EngineAbsent(f"apt-get {words[0]} took more than {INSTALL_SECONDS} s") from None
        if done.returncode:
            raise EngineAbsent(f"apt-get {words[0]} failed: {_last_line(done.stderr)}")


@contextmanager
def _started(folder: Path) -> Iterator[dict[str, str]]:
    """Start an engine whose files are all in *folder*, so that it disturbs no other."""
    variables = {"DOCKER_HOST": f"unix://{folder}/docker.sock"}
    places = {"data-root": "data", "exec-root": "run", "pidfile": "pid"}
    command = [
        "dockerd",
        f"--host={variables['DOCKER_HOST']}",
        *(f"--{option}={folder}/{name}" for option, name in places.items()),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + ENGINE_SECONDS
        while not _answers(variables):
            if process.poll() is not None or time.monotonic() > deadline:
                message = _last_line((folder / "log").read_text(errors="replace"))
                raise EngineAbsent(f"dockerd does not come up: {message}")
            time.sleep(0.1)
        yield variables
    finally:
        process.terminate()
        try:
            process.wait(ENGINE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _last_line(text: str) -> str:
    return next(iter(text.strip().splitlines()[::-1]), "it said nothing")
