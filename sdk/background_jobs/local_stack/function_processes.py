"""The processes of the service's functions, forked from one that has loaded what they import.

Each would spend half a second on that, and the first orchestration of a stack waits for three of them.
Functions that bring libraries of their own, and all on systems other than Linux, are started as the emulator
does it.
"""

import gc
import importlib
import json
import logging
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Final, NoReturn, Self

from background_jobs.local_stack.fork_server import ForkedProcess
from background_jobs.worker.fork_safety import renew_random_state
from background_jobs.worker.forking import fork_orphan, show_arguments
from background_jobs.worker.inner_process import flush_output

_LOADED_BY_BOTH: Final = ("background_jobs.aws.service_models", "background_jobs.aws.stores")
"""What this process needs as well, to deploy the stack: it takes longer to load than all else."""
_LOADED: Final = (
    "aws_lambda_powertools.logging.utils",
    "aws_lambda_powertools.metrics",
    "background_jobs.aws.event_bus",
    "background_jobs.aws.failure_queue",
    "background_jobs.aws.offer_queue",
    "background_jobs.aws.state_machine",
    "background_jobs.aws.task_definitions",
    "background_jobs.aws.warm_services",
    "background_jobs.control_plane.aggregate_jobs",
    "background_jobs.control_plane.end_orchestration",
    "background_jobs.control_plane.start_orchestration",
    "background_jobs.control_plane.warm_workers",
)
"""What the functions import that work in every orchestration."""
_HANDLER: Final = Path("aggregate_jobs", "handler.py")
"""A file in the code of the service's functions, which all have the same."""
_LAYERS: Final = "_LAMBDA_LAYERS_DIRS"
"""The variable by which the emulator tells a function where its layers are."""
_ANSWER_BYTES: Final = 16
_ANSWER_SECONDS: Final = 30
_POLL_SECONDS: Final = 0.005
_log = logging.getLogger(__name__)


class FunctionProcess(ForkedProcess):
    """A forked process, with what the emulator uses of `subprocess.Popen`."""

    def __init__(self, pid: int, stdin: int, stdout: int, stderr: int) -> None:
        super().__init__(pid)
        self.stdin: Final = _as_text(stdin, "w")
        self.stdout: Final = _as_text(stdout, "r")
        self.stderr: Final = _as_text(stderr, "r")
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """Return its exit code; None while it runs."""
        with self._lock:
            if self.returncode is None and os.waitid(
                os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT
            ):
                super().wait()
            return self.returncode

    def wait(self, timeout: float = float("inf")) -> int:
        """Wait for its end and return its exit code. Raises subprocess.TimeoutExpired."""
        deadline = time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("a function", timeout)
            time.sleep(_POLL_SECONDS)
        return status

    def terminate(self) -> None:
        """Ask it to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


class FunctionProcesses:
    """Stands for the module `subprocess` where the emulator starts the processes of functions.

    What forks them is at the other end of *channel*.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._channel.settimeout(_ANSWER_SECONDS)
        self._lock = threading.Lock()

    @classmethod
    def begin(cls) -> Self:
        """Start what forks them, in a process without threads, whose variables the functions inherit."""
        _load(_LOADED_BY_BOTH)
        channel, theirs = socket.socketpair()
        if os.fork() == 0:
            _serve(theirs)
        theirs.close()
        return cls(channel)

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    def Popen(  # noqa: N802 -- the name of what it stands for
        self, command: Sequence[str], **options: Any
    ) -> "FunctionProcess | subprocess.Popen[str]":
        """Start *command*, a function's process with its three streams as text."""
        if can_be_forked(options["cwd"], options["env"]):
            try:
                return self._fork({"command": command, "cwd": options["cwd"], "env": options["env"]})
            except (OSError, ValueError) as gone:
                _log.warning("Functions are started one by one, for what forked them is gone: %r", gone)
        return subprocess.Popen(command, **options)

    def _fork(self, request: dict[str, Any]) -> FunctionProcess:
        with ExitStack() as theirs, ExitStack() as ours:
            told = os.memfd_create("request")
            theirs.callback(os.close, told)
            os.write(told, json.dumps(request).encode())
            stdin, to_it = _pipe(theirs, ours)
            from_it, stdout = _pipe(ours, theirs)
            errors, stderr = _pipe(ours, theirs)
            pid = self._ask(told, stdin, stdout, stderr)
            ours.pop_all()
        return FunctionProcess(pid, to_it, from_it, errors)

    def _ask(self, *descriptors: int) -> int:
        with self._lock:
            try:
                socket.send_fds(self._channel, [b"."], descriptors)
                return int(self._channel.recv(_ANSWER_BYTES))
            except (OSError, ValueError):
                # What came late would be taken for the answer to the next.
                self._channel.close()
                raise


def can_be_forked(code: str, variables: Mapping[str, str]) -> bool:
    """Tell whether a function is the service's own, and imports what is installed here."""
    layers = filter(None, variables.get(_LAYERS, "").split(os.pathsep))
    return Path(code, _HANDLER).is_file() and not any(Path(layer, "python").exists() for layer in layers)


def _load(modules: Iterable[str]) -> None:
    for module in modules:
        importlib.import_module(module)


def _pipe(readers: ExitStack, writers: ExitStack) -> tuple[int, int]:
    """Return both ends of a pipe, which *readers* and *writers* close."""
    reader, writer = os.pipe()
    readers.callback(os.close, reader)
    writers.callback(os.close, writer)
    return reader, writer


def _as_text(descriptor: int, mode: str) -> IO[str]:
    return open(descriptor, mode, buffering=1, encoding="utf-8")


def _serve(channel: socket.socket) -> NoReturn:
    """Fork a process for each request, until the stack ends."""
    # Also what tells others that the stack has ended, such as the input of its watchdog.
    os.closerange(3, channel.fileno())
    os.closerange(channel.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
    show_arguments("background-jobs functions")
    _load(_LOADED)
    gc.collect()
    gc.freeze()
    while True:
        asked, descriptors, _, _ = socket.recv_fds(channel, 1, 4)
        if not asked:
            os._exit(0)
        if (pid := fork_orphan()) == 0:
            _run(*descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        channel.sendall(b"%d" % pid)


def _run(told: int, *streams: int) -> NoReturn:
    """Become the process of a function."""
    request = json.loads(os.pread(told, os.fstat(told).st_size, 0))
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    os.closerange(3, max(told, *streams) + 1)
    # Those of before have what PYTHONIOENCODING says, and maybe what was printed while modules were loaded.
    sys.stdin, sys.stdout, sys.stderr = (_as_text(number, mode) for number, mode in enumerate("rww"))
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    renew_random_state()
    _, script = sys.argv = request["command"]
    show_arguments("background-jobs function", request["env"].get("AWS_LAMBDA_FUNCTION_NAME", script))
    if not sys.flags.safe_path:
        sys.path[0] = str(Path(script).parent)
    status = 1
    try:
        runpy.run_path(script, run_name="__main__")
        status = 0
    except BaseException:  # noqa: BLE001 -- the interpreter prints them, too
        traceback.print_exc()
    finally:
        flush_output()
        os._exit(status)
