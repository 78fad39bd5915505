"""The outer process of a container: it runs no jobs, so a job that ends its process cannot end this one."""

import gc
import logging
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from background_jobs.core.errors import ShareLost
from background_jobs.core.ownership import RangeLost
from background_jobs.worker.current_attempt import CurrentAttempt, SharedCurrentAttempt

OWN_FAILURE: Final = 70
"""The exit status where our own code failed, not a job (EX_SOFTWARE)."""
SHARE_LOST: Final = 75
"""The exit status where the share belongs to a later launch, or was closed (EX_TEMPFAIL).

Step Functions has given this container up by then, and takes no notice. If it has not, it counts a lost
container and launches the share again, and that launch finds in the log what is left to do. With status 0 it
would take the share for done, while somebody else still works on it.
"""
TERMINATED: Final = 128 + signal.SIGTERM

_LOOK_SECONDS: Final = 0.1
_TIMEOUT_GRACE_SECONDS: Final = 1.0
"""How long an attempt may take to notice its timeout; code that holds the interpreter never does."""
_END_GRACE_SECONDS: Final = 1.0
"""How long a process may take to end that has announced its end; a job that runs may never let it."""
_SIGTERM_GRACE_SECONDS: Final = 25.0
"""ECS kills a container 30 seconds after SIGTERM by default."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Blame:
    """The attempt that ran when the process of the jobs ended."""

    index: int
    attempt: int
    reason: str
    timed_out: bool
    launch: int = 0
    """The launch that ended with the process."""


Work = Callable[[SharedCurrentAttempt, Blame | None], int]


def supervise(work: Work) -> int:
    """Run *work* in a child process, again as often as a job ends that process; return the exit status.

    *work* gets the shared memory in which to publish its current attempt and, from the second time on, the
    attempt to blame for the end of the process before. If our own code ends a process, or if it ends while no
    attempt runs, the container ends with it, and the state machine launches the share again unless the status
    is 0.
    """
    blame: Blame | None = None
    while True:
        child = _Child.fork(work, blame)
        status, killed_for_timeout = child.wait()
        if child.terminated:
            return TERMINATED
        # A job may end its process with any status, so our own code announces how it ends.
        if (announced := child.current_attempt.read_end()) is not None:
            return announced
        current = child.current_attempt.read()
        if current is None:
            return status or OWN_FAILURE
        # The late attempt may have ended just before the kill. The attempt that began after it lost its
        # process, but it did not time out.
        blame = _blame_attempt(current, status, timed_out=current == killed_for_timeout)
        _log.error("Instance %d ended its process (%s); going on without it", blame.index, blame.reason)


class _Child:
    """The process that runs the jobs, seen from its parent."""

    def __init__(self, pid: int, alive: int, current_attempt: SharedCurrentAttempt) -> None:
        self.pid = pid
        self.current_attempt = current_attempt
        self.terminated = False
        self._alive = alive

    @classmethod
    def fork(cls, work: Work, blame: Blame | None) -> "_Child":
        current_attempt = SharedCurrentAttempt()
        alive, held_by_child = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        # What is imported lives as long as the process; looking for garbage in it costs every instance 8 µs.
        gc.freeze()
        pid = os.fork()
        if pid == 0:
            os.close(alive)
            status = _run_work(work, current_attempt, blame)
            current_attempt.announce_end(status)
            os._exit(status)
        os.close(held_by_child)
        return cls(pid, alive, current_attempt)

    def wait(self) -> tuple[int, CurrentAttempt | None]:
        """Wait for the child's end; return its status as a shell does, and the attempt killed as timed out.

        The attempt is None where no attempt was killed.
        """
        before = signal.signal(signal.SIGTERM, self._forward_signal)
        late, kill_at = None, float("inf")
        try:
            while True:
                # The child holds the other end of the pipe, so `select` returns as soon as the child ends.
                select.select([self._alive], [], [], _LOOK_SECONDS)
                pid, wait_status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    code = os.waitstatus_to_exitcode(wait_status)
                    return (code if code >= 0 else 128 - code), late
                now, current = time.monotonic(), self.current_attempt.read()
                if self.current_attempt.read_end() is not None:
                    kill_at = min(kill_at, now + _END_GRACE_SECONDS)
                if self.terminated:
                    kill_at = min(kill_at, now + _SIGTERM_GRACE_SECONDS)
                if current is not None and now > current.deadline + _TIMEOUT_GRACE_SECONDS:
                    late, kill_at = current, now
                if now >= kill_at:
                    os.kill(self.pid, signal.SIGKILL)
        finally:
            os.close(self._alive)
            signal.signal(signal.SIGTERM, before)

    def _forward_signal(self, number: int, _frame: object) -> None:
        self.terminated = True
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return


def _run_work(work: Work, current_attempt: SharedCurrentAttempt, blame: Blame | None) -> int:
    try:
        return work(current_attempt, blame)
    except (RangeLost, ShareLost) as lost:
        _log.error("The container ends: %s", lost)
        return SHARE_LOST
    except BaseException:  # noqa: BLE001 -- the edge of the process
        _log.exception("The container cannot go on")
        return OWN_FAILURE
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        logging.shutdown()


def _blame_attempt(current: CurrentAttempt, status: int, *, timed_out: bool) -> Blame:
    if timed_out:
        reason = "it was stopped by force, for it did not notice its timeout"
    elif status > 128:  # noqa: PLR2004 -- the shell's convention
        number = status - 128
        reason = f"signal {number}, {signal.strsignal(number)}" + (
            "; out of memory looks like this" if number == signal.SIGKILL else ""
        )
    else:
        reason = f"exit code {status}"
    return Blame(current.index, current.attempt, reason, timed_out, current.launch)
