"""A peer that is up: its server, its workers, and the process that calls it."""

import json
import os
import select
import signal
import subprocess
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import psutil

from benchmarks.compare.servers import SERVERS
from benchmarks.peers.catalogue import ROOT, Peer
from benchmarks.peers.environments import python_of
from benchmarks.peers.protocol import Place

ANSWER_SECONDS: Final = 900


class PeerFailed(Exception):
    """The process that calls a peer ended, or did not answer in time."""


class RunningPeer:
    """A context in which *peer* is up with so many workers; what it writes goes to *folder*.

    Raises NotInstallable.
    """

    def __init__(self, peer: Peer, workers: int, folder: Path) -> None:
        self.peer = peer
        self._folder = folder
        self._python = python_of(peer)
        self._place = Place("", str(folder), workers)
        self._variables: dict[str, str] = {}
        self._workers: list[subprocess.Popen[bytes]] = []
        self._caller: subprocess.Popen[str] | None = None
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as resources:
            serve = SERVERS[self.peer.server]
            address, variables = resources.enter_context(
                serve(self._folder, self._place.workers, self._python)
            )
            self._place = self._place._replace(address=address)
            self._variables = {
                **(variables or os.environ),
                "PEER_ADDRESS": address,
                "PYTHONPATH": str(ROOT),
                "PYTHONWARNINGS": "ignore",
            }
            resources.callback(self.kill_caller)
            resources.callback(self.kill_workers)
            self.start_workers()
            self.start_caller()
            self._resources = resources.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resources.close()

    @property
    def address(self) -> str:
        """Return the address of its server."""
        return self._place.address

    def start_workers(self) -> None:
        """Start all workers, also after they were killed."""
        for command in self.peer.worker_commands(self._python, self._place):
            with self._log("workers") as log:
                self._workers.append(
                    subprocess.Popen(
                        command,
                        env=self._variables,
                        cwd=ROOT,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    )
                )

    def start_caller(self) -> None:
        """Start the process that calls, also after it was killed."""
        arguments = [self.peer.module, *map(str, self._place)]
        with self._log("caller") as log:
            self._caller = subprocess.Popen(
                [self._python, "-m", "benchmarks.peers.caller", *arguments],
                env=self._variables,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )

    def ask(self, do: str, **fields: Any) -> Any:  # noqa: ANN401 -- any JSON
        """Have the caller do something, and return its answer. Raises PeerFailed."""
        caller = self._caller
        if caller is None or caller.stdin is None or caller.stdout is None:
            raise PeerFailed("it was not started")
        with suppress(BrokenPipeError):
            caller.stdin.write(json.dumps({"do": do, **fields}) + "\n")
            caller.stdin.flush()
        ready, _, _ = select.select([caller.stdout], [], [], ANSWER_SECONDS)
        line = caller.stdout.readline() if ready else ""
        if not line:
            raise PeerFailed(self._last_line() if ready else f"no answer within {ANSWER_SECONDS} s")
        return json.loads(line)

    def kill_caller(self) -> None:
        """Kill the process that calls, and what it started."""
        if self._caller:
            kill_tree(self._caller.pid)
            self._caller.communicate()
            self._caller = None

    def kill_workers(self) -> None:
        """Kill all workers that have commands of their own."""
        for worker in self._workers:
            kill_tree(worker.pid)
            worker.wait()
        self._workers = []

    def _log(self, name: str) -> Any:  # noqa: ANN401 -- a file
        return (self._folder / f"{name}.log").open("ab")

    def _last_line(self) -> str:
        lines = (self._folder / "caller.log").read_text(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line), "the caller ended")


def kill_tree(pid: int) -> None:
    """Kill a process and all below it."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            with suppress(ProcessLookupError):
                os.kill(each.pid, signal.SIGKILL)
