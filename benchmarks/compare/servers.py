"""The servers that peers need: private processes on free ports, with their data in a folder of their own."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Final

from background_jobs.local_stack import LocalStack
from benchmarks.peers.catalogue import ROOT
from benchmarks.peers.environments import NotInstallable

_START_SECONDS: Final = 60
_POLL_SECONDS: Final = 0.01
Variables = dict[str, str]
Server = Callable[[Path, int, str], AbstractContextManager[tuple[str, Variables]]]
"""Given a folder, the workers and the peer's Python, it gives an address, and the variables of callers."""


@contextmanager
def nothing(_folder: Path, _workers: int, _python: str) -> Iterator[tuple[str, Variables]]:
    """Serve peers that need no server."""
    yield "", {}


@contextmanager
def file(folder: Path, _workers: int, _python: str) -> Iterator[tuple[str, Variables]]:
    """Serve peers whose server is a file."""
    yield str(folder / "tasks.db"), {}


@contextmanager
def redis(folder: Path, _workers: int, _python: str) -> Iterator[tuple[str, Variables]]:
    """Serve Redis, which appends to a file."""
    port = _free_port()
    command = [_find("redis-server"), "--port", str(port), "--dir", str(folder), "--save", ""]
    with _process([*command, "--appendonly", "yes"], folder):
        _wait_until(lambda: _has_loaded(port), "Redis")
        yield f"redis://127.0.0.1:{port}/0", {}


@contextmanager
def postgres(folder: Path, _workers: int, _python: str) -> Iterator[tuple[str, Variables]]:
    """Serve Postgres as its packages set it up; a superuser starts it as the user that they made."""
    data, port = folder / "postgres", _free_port()
    user = "postgres" if os.getuid() == 0 else None
    if not data.exists():
        data.mkdir()
        if user:
            shutil.chown(data, user)
        initdb = [_find("initdb"), "--username", "postgres", "--auth", "trust", "--pgdata", str(data)]
        subprocess.run(initdb, check=True, capture_output=True, user=user, cwd=data)
    options = ["-h", "127.0.0.1", "-p", str(port), "-k", str(data), "-c", "max_connections=500"]
    with _process([_find("postgres"), "-D", str(data), *options], folder, user, data):
        ready = [_find("pg_isready"), "--quiet", "--host", "127.0.0.1", "--port", str(port)]
        _wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, "Postgres")
        place = ["--host", "127.0.0.1", "--port", str(port), "--username", "postgres"]
        # it is there already where the folder was used before
        subprocess.run([_find("createdb"), *place, "peers"], check=False, capture_output=True)
        yield f"postgresql://postgres@127.0.0.1:{port}/peers", {}


@contextmanager
def dask(folder: Path, _workers: int, python: str) -> Iterator[tuple[str, Variables]]:
    """Serve Dask's scheduler."""
    port = _free_port()
    command = [python, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port)]
    with _process([*command, "--no-dashboard"], folder):
        _wait_for_port(port)
        yield f"tcp://127.0.0.1:{port}", {}


@contextmanager
def local_stack(_folder: Path, workers: int, _python: str) -> Iterator[tuple[str, Variables]]:
    """Serve our offline stack, whose containers are the workers."""
    jobs = ROOT / "benchmarks" / "peers" / "ours_peer.py"
    # The containers import what is beside this package.
    os.environ["PYTHONPATH"] = str(ROOT)
    with LocalStack(str(jobs), containers=workers) as stack:
        yield str(stack.pid), stack.process_variables()


SERVERS: Final[dict[str, Server]] = {
    "": nothing,
    "file": file,
    "redis": redis,
    "postgres": postgres,
    "dask": dask,
    "local_stack": local_stack,
}


@contextmanager
def _process(
    command: list[str], folder: Path, user: str | None = None, cwd: Path | None = None
) -> Iterator[None]:
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, user=user, cwd=cwd, start_new_session=True
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _find(program: str) -> str:
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = os.pathsep.join([os.environ.get("PATH", ""), *map(str, debian)])
    found = shutil.which(program, path=path)
    if found is None:
        raise NotInstallable(f"{program} is not installed")
    return found


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _has_loaded(port: int) -> bool:
    """Tell whether Redis answers with more than that it loads what it has."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(64).startswith(b"+PONG")
    return False


def _wait_for_port(port: int) -> None:
    def is_open() -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    _wait_until(is_open, f"port {port}")


def _wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} was not up within {_START_SECONDS} s")
        time.sleep(_POLL_SECONDS)
