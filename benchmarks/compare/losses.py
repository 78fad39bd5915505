"""What a kill -9 of a worker, of all workers and of the caller costs each peer."""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import psutil

from background_jobs.local_stack.processes import LOG
from benchmarks.compare.running_peer import PeerFailed, RunningPeer
from benchmarks.peers.catalogue import Peer

TASKS: Final = 200
SECONDS: Final = 0.25
WORKERS: Final = 8
"""So many that every peer runs one task in a worker at a time."""
PATIENCE: Final = 30
"""Seconds without another result after which the caller gives up."""
KINDS: Final = {"worker": "a worker", "workers": "all workers", "caller": "the caller"}
_KILLED_AFTER: Final = 50
_START_SECONDS: Final = 60


class Loss(NamedTuple):
    """What became of the tasks."""

    missing: int
    """Results that did not come by themselves."""
    missing_after_restart: int
    """Those that did not come either after all workers were started again."""
    ran_twice: int
    """Tasks that ran more than once."""
    seconds: float
    """From the kill to the last result that came by itself, or to the end of the patience."""

    @property
    def remedy(self) -> str:
        """Return what a person has to do."""
        if not self.missing:
            return "nothing"
        if not self.missing_after_restart:
            return "start the workers again"
        return f"find what is missing ({self.missing_after_restart}), and run it again"


def measure_loss(peer: Peer, kind: str, folder: Path) -> Loss:
    """Kill one of KINDS while *peer* works at TASKS tasks."""
    notes = folder / f"notes-{kind}"
    notes.unlink(missing_ok=True)
    with RunningPeer(peer, WORKERS, folder) as running:
        running.ask("run", job="nap", arguments=[0.01] * 2 * WORKERS)
        handle = running.ask(
            "kick_off", job="noted_nap", arguments=[[number, SECONDS, str(notes)] for number in range(TASKS)]
        )
        _wait_for_notes(notes)
        _kill(running, kind, notes)
        killed = time.monotonic()
        found = set(_collect(running, handle))
        seconds = time.monotonic() - killed
        missing = missing_after_restart = TASKS - len(found)
        if missing:
            running.kill_workers()
            running.start_workers()
            found |= set(_collect(running, handle, 2 * PATIENCE))
            missing_after_restart = TASKS - len(found)
    return Loss(missing, missing_after_restart, _count_repeated(notes), round(seconds, 1))


def _kill(running: RunningPeer, kind: str, notes: Path) -> None:
    pids = list(dict.fromkeys(int(line.split()[1]) for line in notes.read_text().splitlines()))
    if kind == "caller":
        running.kill_caller()
        running.start_caller()
    elif kind == "worker":
        _kill_processes(_processes_of_worker(running.peer, pids[-1]))
    else:
        running.kill_workers()
        for pid in pids:
            _kill_processes(_processes_of_worker(running.peer, pid))


def _processes_of_worker(peer: Peer, pid: int) -> list[int]:
    """Return the process that runs tasks; ours are two, of a container, which is what AWS ends."""
    if peer.module != "ours_peer":
        return [pid]
    with suppress(psutil.NoSuchProcess):
        outer = psutil.Process(psutil.Process(pid).ppid())
        return [outer.pid, pid] if LOG in outer.environ() else [pid]
    return []


def _kill_processes(pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _collect(running: RunningPeer, handle: Any, patience: int = PATIENCE) -> list[int]:  # noqa: ANN401 -- any JSON
    with suppress(PeerFailed):
        found: list[int] = running.ask("collect", handle=handle, patience=patience)
        return found
    running.kill_caller()
    running.start_caller()
    return []


def _wait_for_notes(notes: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not notes.exists() or notes.read_text().count("\n") < _KILLED_AFTER:
        if time.monotonic() > deadline:
            raise PeerFailed("the tasks did not begin")
        time.sleep(0.01)


def _count_repeated(notes: Path) -> int:
    runs = Counter(line.split()[0] for line in notes.read_text().splitlines())
    return sum(count > 1 for count in runs.values())
