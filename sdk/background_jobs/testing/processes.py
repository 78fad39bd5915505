"""Processes in virtual time: threads of which one runs at a time, until it sleeps or ends."""

import os
import threading
from collections.abc import Callable
from typing import Final

from background_jobs.testing.virtual_time import Planned, VirtualTime
from background_jobs.worker.interruptions import TimedOut

_MOST_WAKES: Final = 100
"""How often a process is told to end that catches what tells it so."""


class Killed(BaseException):
    """Raised where a process sleeps that is to end; no Exception, so that a job's `except` lets it pass."""


class Process:
    """Runs in a thread, from its start until it sleeps, and from each wake on until it sleeps again."""

    def __init__(self, time: VirtualTime) -> None:
        self.time = time
        self.pid = os.getpid()
        self.body: Callable[[], None] = _do_nothing
        self.limit = float("inf")
        """When TimedOut is raised in a sleep, in seconds of virtual time."""
        self.is_killed = False
        self.exit_code: int | None = None
        """With which a job has ended the process of its container; None where none has."""
        self.has_ended = False
        self._go = threading.Lock()
        self._go.acquire()
        self._rests = threading.Lock()
        self._rests.acquire()
        self._wakes: Planned | None = None
        self._has_begun = False
        self._is_left = False
        self._error: BaseException | None = None

    def start(self, body: Callable[[], None]) -> None:
        """Have it run *body* as soon as time passes."""
        self.body = body
        self._wakes = self.time.plan(0, self._run)

    def sleep(self, seconds: float) -> None:
        """Let others run for so many seconds, or until it is woken; called in its own thread.

        Raises Killed, or TimedOut at its limit.
        """
        self._check_killed()
        end = self.time.seconds + seconds
        if (due := min(end, self.limit)) != float("inf"):
            self._wakes = self.time.plan(due - self.time.seconds, self._run)
        self._rests.release()
        self._go.acquire()
        self._check_killed()
        if end > self.limit <= self.time.seconds:
            self.limit = float("inf")
            raise TimedOut

    def wake(self) -> None:
        """End its sleep, if it sleeps."""
        if self._has_begun and not self.has_ended:
            if self._wakes:
                self.time.drop(self._wakes)
            self._wakes = self.time.plan(0, self._run)

    def kill(self) -> None:
        """Have Killed raised where it sleeps."""
        self.is_killed = True
        self.wake()

    def end(self) -> None:
        """Kill it, and wait for its end; a job that catches everything is left where it is."""
        self.is_killed = True
        wakes = 0
        while self._has_begun and not (self.has_ended or self._is_left) and wakes < _MOST_WAKES:
            wakes += 1
            self._run()

    def finish(self, error: BaseException | None) -> None:
        """Note that its body has ended, and with which error; called in its own thread."""
        self._error = error
        self.has_ended = True
        self._rests.release()

    def wait_for_turn(self) -> None:
        """Wait until it may run."""
        self._go.acquire()

    def _run(self) -> None:
        self._wakes = None
        if not self._has_begun:
            self._has_begun = True
            _hand(self)
        self._go.release()
        try:
            self._rests.acquire()
        except BaseException:
            # Ctrl-C, or the timeout of a test: what it does now may never end.
            self._is_left = True
            raise
        if self._error:
            error, self._error = self._error, None
            raise error

    def _check_killed(self) -> None:
        if self.is_killed:
            raise Killed


def _do_nothing() -> None: ...


class _Current(threading.local):
    process: Process | None = None


_current: Final = _Current()
_idle: Final[list["_Worker"]] = []


def current_process() -> Process | None:
    """Return the process that this thread runs; None in a child that it has forked, where time is real."""
    process = _current.process
    return process if process is not None and process.pid == os.getpid() else None


class _Worker(threading.Thread):
    """A thread that runs one process after the other."""

    def __init__(self) -> None:
        super().__init__(name="containers of the twin", daemon=True)
        self._process: Process | None = None
        self._is_handed = threading.Lock()
        self._is_handed.acquire()

    def hand(self, process: Process) -> None:
        """Have it run *process*."""
        self._process = process
        self._is_handed.release()

    def run(self) -> None:
        """Run what it is handed."""
        while True:
            self._is_handed.acquire()
            process, self._process = self._process, None
            if process is not None:
                self._run_process(process)

    def _run_process(self, process: Process) -> None:
        process.wait_for_turn()
        _current.process = process
        error: BaseException | None = None
        try:
            process.body()
        except Killed:
            pass
        except BaseException as raised:  # noqa: BLE001 -- raised in the thread that lets time pass
            error = raised
        _current.process = None
        _idle.append(self)
        process.finish(error)


def this_thread() -> tuple[int, int]:
    """Return what tells this thread from others, and from that of a child that it has forked."""
    return os.getpid(), threading.get_ident()


def is_of_twin(thread: threading.Thread) -> bool:
    """Tell whether *thread* runs processes, rather than what a job has started."""
    return isinstance(thread, _Worker)


def _hand(process: Process) -> None:
    if _idle:
        worker = _idle.pop()
    else:
        worker = _Worker()
        worker.start()
    worker.hand(process)
