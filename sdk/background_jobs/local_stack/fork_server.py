"""A process that has loaded the jobs' main, and the containers that are forked from it."""

import json
import os
import select
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

from background_jobs.core.job_descriptions import JobDescription
from background_jobs.local_stack.launchers import start_command
from background_jobs.worker.fork_server import FORK_SERVER, LoadedMain
from background_jobs.worker.loaded_files import are_current, forget_edited, stamp

_LOAD_SECONDS: Final = 60
_END_SECONDS: Final = 5
_LINES: Final = 15
_POLL_SECONDS: Final = 0.2
_VARIABLES_BYTES: Final = 1 << 16
"""Room for the variables of a container; those that the state machine sets have 8 KB."""


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
        self._is_late = False
        self._main = command[-1], stamp(command[-1])
        self.was_edited = False
        """Whether its main was edited before it was loaded, so that nobody waits for it any longer."""
        # Loading may take long, and only those who need what is loaded wait for it.
        self._lock = threading.RLock()

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

    def explain(self) -> str:
        """Return why nothing was loaded: the end of what the main printed, if it printed something."""
        if self._is_late:
            return f"It was not loaded within {_LOAD_SECONDS} s."
        printed = self._output.read_text(encoding="utf-8", errors="replace").rstrip()
        return "\n".join(printed.splitlines()[-_LINES:]) or "It ended without a call of run_e11_job([...])."

    def fork(self, variables: Mapping[str, str], log: Path) -> ForkedProcess:
        """Fork a container. Raises OSError or ValueError where the server is gone."""
        # What the main printed while it was loaded belongs to every container.
        log.write_bytes(self._output.read_bytes())
        with self._lock:
            self._lines.write(json.dumps({"log": str(log), "variables": dict(variables)}) + "\n")
            self._lines.flush()
            return ForkedProcess(json.loads(self._lines.readline())["pid"])

    def end(self) -> None:
        """End it, and what its main started; its containers are not its children."""
        # Whoever waits for its answer then learns that there is none.
        self._kill()
        with suppress(OSError):
            self._lines.close()
        self._channel.close()

    def _load(self) -> LoadedMain | None:
        with self._lock:
            if self._loaded is None:
                try:
                    self._wait_for_answer()
                    loaded = LoadedMain(**json.loads(self._lines.readline()))
                    self._loaded = replace(loaded, files=forget_edited(loaded.files, since=self._started_at))
                except TimeoutError:
                    self._is_late = True
                except (OSError, ValueError):
                    pass
                if self._loaded is None or self._loaded.reason:
                    threading.Thread(target=self._kill_after_its_end, daemon=True).start()
            return self._loaded

    def _wait_for_answer(self) -> None:
        """Wait until the main was loaded, or is edited, or has taken too long."""
        deadline = time.monotonic() + _LOAD_SECONDS
        path, loading = self._main
        while not select.select([self._channel], [], [], _POLL_SECONDS)[0]:
            if stamp(path) != loading:
                self.was_edited = True
            if self.was_edited or time.monotonic() > deadline:
                raise TimeoutError

    def _kill_after_its_end(self) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        self._kill()

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
