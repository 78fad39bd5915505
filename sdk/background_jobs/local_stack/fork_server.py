"""Containers that are forked from one process, which has loaded the jobs' main once.

Starting Python and loading the jobs takes most of what a short container takes. What cannot be forked (see
`worker.fork_safety`) is started as it is, and so is all on systems other than Linux.
"""

import json
import logging
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from background_jobs.core.containers.variables import SHARE_VARIABLES
from background_jobs.core.job_descriptions import JobDescription
from background_jobs.local_stack.launchers import (
    ChildProcess,
    ProcessLauncher,
    inherit_packages,
    start_command,
)
from background_jobs.settings import PREFIX
from background_jobs.worker.fork_server import FORK_SERVER, LoadedMain
from background_jobs.worker.loaded_files import are_current, forget_edited

_LOAD_SECONDS: Final = 60
_END_SECONDS: Final = 5
_VARIABLES_BYTES: Final = 1 << 16
"""Room for the variables of a container; those that the state machine sets have 8 KB."""
_log = logging.getLogger(__name__)


class ForkingLauncher(ProcessLauncher):
    """Forks containers from a server, which is another one once a file that it has loaded was edited.

    *folder* takes the output of the servers. The process in which this is must adopt orphans.
    """

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        super().__init__(command)
        self._folder = folder
        self._server: ForkServer | None = None
        self._reported = ""
        self._lock = threading.Lock()

    def prepare(self, shared: Mapping[str, str]) -> None:
        """Start a server; it loads the jobs in the background."""
        with self._lock:
            self._start_server(_common_variables(inherit_packages() | dict(shared)))

    def find_jobs(self) -> Sequence[JobDescription] | None:
        """Return the jobs of the main, once it was loaded; None where that failed."""
        with self._lock:
            return None if self._server is None else self._server.find_jobs()

    def start(
        self, name: str, variables: Mapping[str, str], options: Mapping[str, object], log: Path
    ) -> ChildProcess:
        """Fork a container, or start it as it is where it cannot be forked."""
        with self._lock:
            forked = self._fork(inherit_packages() | dict(variables), log)
        return forked or super().start(name, variables, options, log)

    def close(self) -> None:
        """End the server; containers run on."""
        with self._lock:
            self._end_server()

    def _fork(self, variables: dict[str, str], log: Path) -> "ForkedProcess | None":
        server = self._find_server(_common_variables(variables))
        if reason := server.find_reason_not_to_fork(variables):
            self._report(reason)
            return None
        try:
            return server.fork(variables, log)
        except (OSError, ValueError) as gone:
            _log.warning("Another process loads the jobs, for the one that had is gone: %r", gone)
            self._end_server()
            return None

    def _find_server(self, variables: Mapping[str, str]) -> "ForkServer":
        server = self._server
        if server is None or server.variables != variables or not server.is_current():
            return self._start_server(variables)
        return server

    def _start_server(self, variables: Mapping[str, str]) -> "ForkServer":
        self._end_server()
        self._reported = ""
        self._server = ForkServer(self._command, variables, self._folder / "fork-server.log")
        return self._server

    def _end_server(self) -> None:
        if self._server is not None:
            self._server.end()
        self._server = None

    def _report(self, reason: str) -> None:
        if reason != self._reported:
            self._reported = reason
            _log.warning("Each container loads the jobs anew, for their main %s", reason)


class ForkedProcess:
    """A process that this one has adopted."""

    def __init__(self, pid: int) -> None:
        self.pid: Final = pid
        self.returncode: int | None = None
        """Its exit code, -n after signal n; None until it was waited for."""

    def wait(self) -> int:
        """Wait for its end and return its exit code."""
        self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode


class ForkServer:
    """A process that has loaded the jobs' main, or is about to."""

    def __init__(self, command: Sequence[str], variables: Mapping[str, str], output: Path) -> None:
        self.variables: Final = dict(variables)
        self._output = output
        self._started_at = time.time()
        self._channel, theirs = socket.socketpair()
        self._channel.settimeout(_LOAD_SECONDS)
        with theirs:
            mark = f"{theirs.fileno()} {os.getpid()}".ljust(_VARIABLES_BYTES)
            self._process = start_command(
                command, {**variables, FORK_SERVER: mark}, output, [theirs.fileno()]
            )
        self._lines = self._channel.makefile("rw", encoding="utf-8")
        self._loaded: LoadedMain | None = None

    def is_current(self) -> bool:
        """Tell whether it has loaded all files as they are now; False where it has ended without a word."""
        loaded = self._load()
        return loaded is not None and are_current(loaded.files)

    def find_jobs(self) -> Sequence[JobDescription] | None:
        """Return the jobs that it has loaded; None where it has ended without a word."""
        loaded = self._load()
        return None if loaded is None else [JobDescription.model_validate(job) for job in loaded.jobs]

    def find_reason_not_to_fork(self, variables: Mapping[str, str]) -> str:
        """Return why a container with *variables* cannot be a fork of it; empty where it can."""
        loaded = self._load()
        if loaded is None:
            return "ended while it was loaded"
        if loaded.reason:
            return loaded.reason
        read = (name for name, value in loaded.variables.items() if variables.get(name) != value)
        return next((f"read {name} while it was loaded" for name in read), "")

    def fork(self, variables: Mapping[str, str], log: Path) -> ForkedProcess:
        """Fork a container. Raises OSError or ValueError where the server is gone."""
        # What the main printed while it was loaded belongs to every container.
        log.write_bytes(self._output.read_bytes())
        self._lines.write(json.dumps({"log": str(log), "variables": dict(variables)}) + "\n")
        self._lines.flush()
        return ForkedProcess(json.loads(self._lines.readline())["pid"])

    def end(self) -> None:
        """End it, and what its main started; its containers are not its children."""
        with suppress(OSError):
            self._lines.close()
        self._channel.close()
        self._kill()

    def _load(self) -> LoadedMain | None:
        if self._loaded is None:
            with suppress(OSError, ValueError):
                loaded = LoadedMain(**json.loads(self._lines.readline()))
                self._loaded = replace(loaded, files=forget_edited(loaded.files, since=self._started_at))
            if self._loaded is None or self._loaded.reason:
                threading.Thread(target=self._kill_after_its_end, daemon=True).start()
        return self._loaded

    def _kill_after_its_end(self) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        self._kill()

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _common_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """Return those of a container's variables that are the same for all, and are not settings."""
    return inherit_packages() | {
        name: value
        for name, value in variables.items()
        if name not in SHARE_VARIABLES and not name.startswith(PREFIX)
    }
