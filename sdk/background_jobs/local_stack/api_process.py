"""The process of a stack's progress API, which the first who connects to it starts."""

import select
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final


class ApiProcess:
    """The progress API beside the emulator.

    It takes half as long to start as the stack does, and most commands never ask it.
    """

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._is_refused = False
        self.process: subprocess.Popen[bytes] | None = None
        """Its process, once somebody has asked."""

    def start_when_asked(self, listener: socket.socket, variables: Mapping[str, str], log: Path) -> None:
        """Wait for a connection to *listener*, and start what will take it from the backlog."""
        with listener:
            select.select([listener], [], [])
            with self._lock:
                if not self._is_refused:
                    self.process = _start(listener.fileno(), variables, log)

    def refuse(self) -> None:
        """Start it for nobody from now on: what starts while its stack ends, nothing would end."""
        with self._lock:
            self._is_refused = True


def _start(listener: int, variables: Mapping[str, str], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "background_jobs.progress_api", f"fd:{listener}"],
            env=variables,
            pass_fds=[listener],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
