"""The outer process of a container: it runs no jobs, so it outlives what a job does to its process."""

import logging
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from background_jobs.worker.current_attempt import CurrentAttempt, SharedCurrentAttempt

OWN_FAILURE: Final = 70
"""The exit status where our own work failed, not a job (EX_SOFTWARE)."""
TERMINATED: Final = 128 + signal.SIGTERM

_LOOK_SECONDS: Final = 0.1
_TIMEOUT_GRACE_SECONDS: Final = 1.0
"""How long past its timeout an attempt may take to notice; code that holds the interpreter never does."""
_SIGTERM_GRACE_SECONDS: Final = 25.0
"""ECS kills after 30 seconds, unless told otherwise."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Blame:
    """The attempt that ran when the process of the jobs ended."""

    index: int
    attempt: int
    reason: str
    timed_out: bool


Work = Callable[[SharedCurrentAttempt, Blame | None], int]


def supervise(work: Work) -> int:
    """Run *work* in a process of its own, again as often as a job ends that process; return the exit status.

    *work* gets the current_attempt to keep lit and, from the second time on, whom to blame for the end of its
    predecessor. Whatever has no job to blame ends the container, which the state machine launches again.
    """
    blame: Blame | None = None
    while True:
        child = _Child.forked(work, blame)
        status, late = child.attend()
        if child.told_to_end:
            return TERMINATED
        running = child.current_attempt.read()
        # A job that ends its process may do so with any status; we do only when no job runs.
        if status == OWN_FAILURE or running is None:
            return status
        # Where the one that was late ended after all, its successor has lost its process, and no time.
        blame = _blame(running, status, timed_out=running == late)
        _log.error("Instance %d ended its process (%s); going on without it", blame.index, blame.reason)


class _Child:
    """The process that runs the jobs, seen from its parent."""

    def __init__(self, pid: int, alive: int, current_attempt: SharedCurrentAttempt) -> None:
        self.pid = pid
        self.current_attempt = current_attempt
        self.told_to_end = False
        self._alive = alive

    @classmethod
    def forked(cls, work: Work, blame: Blame | None) -> "_Child":
        current_attempt = SharedCurrentAttempt()
        alive, held = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            os.close(alive)
            os._exit(_status_of(work, current_attempt, blame))
        os.close(held)
        return cls(pid, alive, current_attempt)

    def attend(self) -> tuple[int, CurrentAttempt | None]:
        """Wait for the child's end; return its status as a shell does, and what was killed for its time."""
        before = signal.signal(signal.SIGTERM, self._pass_on)
        late, kill_at = None, float("inf")
        try:
            while True:
                # The child holds the other end of the pipe, so its end is noticed at once.
                select.select([self._alive], [], [], _LOOK_SECONDS)
                pid, wait_status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    code = os.waitstatus_to_exitcode(wait_status)
                    return (code if code >= 0 else 128 - code), late
                now, running = time.monotonic(), self.current_attempt.read()
                if self.told_to_end:
                    kill_at = min(kill_at, now + _SIGTERM_GRACE_SECONDS)
                if running is not None and now > running.deadline + _TIMEOUT_GRACE_SECONDS:
                    late, kill_at = running, now
                if now >= kill_at:
                    os.kill(self.pid, signal.SIGKILL)
        finally:
            os.close(self._alive)
            signal.signal(signal.SIGTERM, before)

    def _pass_on(self, number: int, _frame: object) -> None:
        self.told_to_end = True
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return


def _status_of(work: Work, current_attempt: SharedCurrentAttempt, blame: Blame | None) -> int:
    try:
        return work(current_attempt, blame)
    except BaseException:  # noqa: BLE001 -- the edge of the process
        _log.exception("The container cannot go on")
        return OWN_FAILURE
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        logging.shutdown()


def _blame(running: CurrentAttempt, status: int, *, timed_out: bool) -> Blame:
    if timed_out:
        reason = "it was stopped by force, for it did not notice its timeout"
    elif status > 128:  # noqa: PLR2004 -- the shell's convention
        number = status - 128
        reason = f"signal {number}, {signal.strsignal(number)}" + (
            "; out of memory looks like this" if number == signal.SIGKILL else ""
        )
    else:
        reason = f"exit code {status}"
    return Blame(running.index, running.attempt, reason, timed_out)
