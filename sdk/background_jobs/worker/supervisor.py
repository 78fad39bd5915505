"""The outer process of a container: it runs no jobs, so a job that ends its process cannot end this one."""

import logging
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from background_jobs.core.limits import STOP_SECONDS
from background_jobs.worker.current_attempt import CurrentAttempt, SharedCurrentAttempt
from background_jobs.worker.descendants import adopting_orphans, reap

OWN_FAILURE: Final = 70
"""The exit status where our own code failed, not a job (EX_SOFTWARE)."""
SHARE_LOST: Final = 75
"""The exit status where the share belongs to a later launch, or was closed (EX_TEMPFAIL).

Step Functions has given this container up by then, and takes no notice. If it has not, it counts a lost
container and launches the share again, and that launch finds in the log what is left to do. With status 0 it
would take the share for done, while somebody else still works on it.
"""
TERMINATED: Final = 128 + signal.SIGTERM
REPLACED: Final = 76
"""The status of a process that ended between two attempts so that a fresh one goes on with its share."""

_LOOK_SECONDS: Final = 0.1
_TIMEOUT_GRACE_SECONDS: Final = 1.0
"""How long an attempt may take to notice its timeout; code that holds the interpreter never does."""
_LOST_GRACE_SECONDS: Final = 1.0
"""How long a process may take to end whose share was lost; a job that runs may never let it."""
_END_GRACE_SECONDS: Final = 25.0
"""How long threads and handlers of atexit may take."""
_SIGTERM_GRACE_SECONDS: Final = STOP_SECONDS - 5.0
"""How long the job may go on after SIGTERM; a little later ECS kills the container."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Blame:
    """The attempt that ran when the process of the jobs ended."""

    index: int
    attempt: int
    reason: str
    timed_out: bool


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The process before this one in the same container."""

    launch: int
    """As which launch of the share it worked."""
    blame: Blame | None = None
    """The attempt that ended it; None where it ended between two attempts, or by a failure of our own."""
    in_order: bool = False
    """Whether all that it did is in the log."""


Start = Callable[[SharedCurrentAttempt, Predecessor | None], int]
"""Starts the process that runs the jobs, and returns its id."""


def supervise(start: Start, share: Callable[[], SharedCurrentAttempt] = SharedCurrentAttempt) -> int:
    """Have a process that *start* starts work through the share; return the exit status of the container.

    The process publishes its current attempt in the memory that *share* makes and *start* is given. When a
    job has ended the process, or our own code failed in it, another one is started, which is told about its
    predecessor. Only a process in which no attempt began ends the container, so that a launch is spent for
    nothing less.
    """
    predecessor: Predecessor | None = None
    with _noting_termination() as termination, adopting_orphans() as descendants:
        while True:
            current_attempt = share()
            child = _Child(start(current_attempt, predecessor), current_attempt)
            code, killed_for_timeout = child.wait(termination)
            descendants.end()
            if termination.requested:
                return TERMINATED
            # A job may end its process with any status, so our own code announces how it ends.
            announced = current_attempt.read_end()
            if announced not in {None, OWN_FAILURE, REPLACED}:
                return announced or 0
            launch = current_attempt.read_launch()
            if launch is None:
                return announced or (code if code >= 0 else 128 - code) or OWN_FAILURE
            current = current_attempt.read() if announced is None else None
            # The late attempt may have ended just before the kill. The attempt that began after it lost its
            # process, but it did not time out.
            blame = (
                _blame_attempt(current, code, timed_out=current == killed_for_timeout) if current else None
            )
            if announced != REPLACED:
                _log.error("%s; another process goes on", _describe_end(blame, code))
            predecessor = Predecessor(launch, blame, in_order=announced == REPLACED)


class _Termination:
    """Whether the container was told to end."""

    requested = False

    def note(self, _number: int, _frame: object) -> None:
        self.requested = True


@contextmanager
def _noting_termination() -> Iterator[_Termination]:
    termination = _Termination()
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, termination.note) for number in numbers]
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
    try:
        yield termination
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


class _Child:
    """The process that runs the jobs, seen from its parent."""

    def __init__(self, pid: int, current_attempt: SharedCurrentAttempt) -> None:
        self._pid = pid
        self._current_attempt = current_attempt
        self._late: CurrentAttempt | None = None
        self._kill_at = float("inf")
        self._is_told = False

    def wait(self, termination: _Termination) -> tuple[int, CurrentAttempt | None]:
        """Wait for the child's end; return its exit code, -n after signal n, and the attempt killed as late.

        The attempt is None where none was killed.
        """
        ended = open_pidfd(self._pid)
        try:
            while True:
                if ended is None:
                    time.sleep(_LOOK_SECONDS)
                else:
                    select.select([ended], [], [], _LOOK_SECONDS)
                reap(spared={self._pid})
                pid, wait_status = os.waitpid(self._pid, os.WNOHANG)
                if pid:
                    return os.waitstatus_to_exitcode(wait_status), self._late
                self._end_if_due(termination)
        finally:
            if ended is not None:
                os.close(ended)

    def _end_if_due(self, termination: _Termination) -> None:
        now, current = time.monotonic(), self._current_attempt.read()
        if (end := self._current_attempt.read_end()) is not None:
            grace = _LOST_GRACE_SECONDS if end == SHARE_LOST else _END_GRACE_SECONDS
            self._kill_at = min(self._kill_at, now + grace)
        if termination.requested:
            self._kill_at = min(self._kill_at, now + _SIGTERM_GRACE_SECONDS)
            if not self._is_told:
                self._is_told = True
                self._current_attempt.tell_to_end()
                os.kill(self._pid, signal.SIGTERM)
        if current is not None and now > current.deadline + _TIMEOUT_GRACE_SECONDS:
            self._late, self._kill_at = current, now
        if now >= self._kill_at:
            os.kill(self._pid, signal.SIGKILL)


def open_pidfd(pid: int) -> int | None:
    """Return a descriptor that becomes readable when the process ends; None on systems that have none."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _blame_attempt(current: CurrentAttempt, code: int, *, timed_out: bool) -> Blame:
    late = "it was stopped by force, for it did not notice its timeout"
    return Blame(current.index, current.attempt, late if timed_out else describe_code(code), timed_out)


def _describe_end(blame: Blame | None, code: int) -> str:
    if blame is None:
        return f"The process of the jobs ended between two attempts ({describe_code(code)})"
    return f"Instance {blame.index} ended its process ({blame.reason})"


def describe_code(code: int) -> str:
    """Return in words how a process ended: with which exit code, or by which signal where it is negative."""
    if code >= 0:
        return f"exit code {code}"
    hint = "; out of memory looks like this" if -code == signal.SIGKILL else ""
    return f"signal {-code}, {signal.strsignal(-code)}{hint}"
