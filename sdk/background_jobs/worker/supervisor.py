"""The outer process of a container: it runs no jobs, so a job that ends its process cannot end this one."""

import logging
import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from background_jobs.core.containers.statuses import OUT_OF_MEMORY
from background_jobs.core.limits import STOP_SECONDS
from background_jobs.worker.current_attempt import CurrentAttempt, SharedCurrentAttempt
from background_jobs.worker.descendants import adopting_orphans, reap
from background_jobs.worker.memory_kills import count_memory_kills

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
_HELD_SECONDS: Final = 0.6
"""How long the thread that decides about several attempts never waits by itself."""
_LOST_GRACE_SECONDS: Final = 1.0
"""How long a process may take to end whose share was lost; a job that runs may never let it."""
_END_GRACE_SECONDS: Final = 25.0
"""How long threads and handlers of atexit may take."""
_SIGTERM_GRACE_SECONDS: Final = STOP_SECONDS - 5.0
"""How long the job may go on after SIGTERM; a little later ECS kills the container."""
_log = logging.getLogger(__name__)


class Verdict(StrEnum):
    """What the end of a process says of an attempt that ran in it."""

    LOST = "lost"
    """It ran alone, so it ended the process."""
    TIMED_OUT = "timed out"
    """The process was ended because of it."""
    SUSPECTED = "suspected"
    """It may have ended the process, and so may others that ran at the same time."""
    INTERRUPTED = "interrupted"
    """The process was ended because of another one."""


@dataclass(frozen=True, slots=True)
class Blame:
    """An attempt that ran when the process of the jobs ended."""

    index: int
    attempt: int
    reason: str
    verdict: Verdict = Verdict.LOST


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The process before this one in the same container."""

    launch: int
    """As which launch of the share it worked."""
    blames: tuple[Blame, ...] = ()
    """The attempts that ran at its end; none where it ended between two, or by a failure of our own."""
    in_order: bool = False
    """Whether all that it did is in the log."""


Start = Callable[[SharedCurrentAttempt, Predecessor | None], int]
"""Starts the process that runs the jobs, and returns its id."""


def supervise(
    start: Start,
    share: Callable[[], SharedCurrentAttempt] = SharedCurrentAttempt,
    *,
    may_grow: bool = False,
) -> int:
    """Have a process that *start* starts work through the share; return the exit status of the container.

    The process publishes its current attempt in the memory that *share* makes and *start* is given. When a
    job has ended the process, or our own code failed in it, another one is started, which is told about its
    predecessor. Only a process in which no attempt began ends the container, so that a launch is spent for
    nothing less; and one that ran out of memory, where *may_grow* says that it may be launched with more.
    """
    predecessor: Predecessor | None = None
    with _noting_termination() as termination, adopting_orphans() as descendants:
        while True:
            current_attempt, memory_kills = share(), count_memory_kills()
            child = _Child(start(current_attempt, predecessor), current_attempt)
            code, late = child.wait(termination)
            descendants.end()
            if termination.requested:
                return TERMINATED
            # A job may end its process with any status, so our own code announces how it ends.
            announced = current_attempt.read_end()
            if announced not in {None, OWN_FAILURE, REPLACED}:
                return announced or 0
            if may_grow and code == -signal.SIGKILL and count_memory_kills() > memory_kills:
                _log.error("The memory of the container is full; another one with more goes on")
                return OUT_OF_MEMORY
            launch = current_attempt.read_launch()
            if launch is None:
                return announced or (code if code >= 0 else 128 - code) or OWN_FAILURE
            running, is_own_failure = current_attempt.read_all(), announced is not None
            blames = _judge(running, code, late, is_own_failure=is_own_failure, is_held=child.was_held)
            if announced != REPLACED:
                _log.error("%s; another process goes on", _describe_end(blames, code))
            predecessor = Predecessor(launch, blames, in_order=announced == REPLACED)


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
        self._late: list[CurrentAttempt] = []
        self.was_held = False
        """Whether one of several attempts held the interpreter when the child was killed for late ones."""
        self._kill_at = float("inf")
        self._is_told = False

    def wait(self, termination: _Termination) -> tuple[int, list[CurrentAttempt]]:
        """Wait for the child's end; return its exit code, -n after signal n.

        Returns also the attempts for which it was killed, because they did not notice their timeout.
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
        now = time.monotonic()
        if (end := self._current_attempt.read_end()) is not None:
            grace = _LOST_GRACE_SECONDS if end == SHARE_LOST else _END_GRACE_SECONDS
            self._kill_at = min(self._kill_at, now + grace)
        if termination.requested:
            self._kill_at = min(self._kill_at, now + _SIGTERM_GRACE_SECONDS)
            if not self._is_told:
                self._is_told = True
                self._current_attempt.tell_to_end()
                os.kill(self._pid, signal.SIGTERM)
        latest = now - _TIMEOUT_GRACE_SECONDS
        if late := [current for current in self._current_attempt.read_all() if current.deadline < latest]:
            self._late, self._kill_at = late, now
            self.was_held = self._current_attempt.seconds_since_turn() > _HELD_SECONDS
        if now >= self._kill_at:
            os.kill(self._pid, signal.SIGKILL)


def open_pidfd(pid: int) -> int | None:
    """Return a descriptor that becomes readable when the process ends; None on systems that have none."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _judge(
    running: Sequence[CurrentAttempt],
    code: int,
    late: Sequence[CurrentAttempt],
    *,
    is_own_failure: bool,
    is_held: bool = False,
) -> tuple[Blame, ...]:
    """Return the judgement on the attempts that ran when a process ended with *code*.

    *late* are those for which it was killed. One may have ended just before that; then another that began
    after it lost its process, but did not time out. Where the interpreter *is_held*, nobody could notice a
    timeout, and it cannot be told who held it.
    """
    if is_held and len(running) > 1:
        reason = "one of them held the interpreter past a timeout"
        return tuple(Blame(current.index, current.attempt, reason, Verdict.SUSPECTED) for current in running)
    late = [current for current in running if current in late]
    if late or len(running) > 1:
        return tuple(_judge_one(current, code, late) for current in running)
    if is_own_failure:
        # Its start without an end is in the log, so it is left out where our own code fails with it again.
        return ()
    return tuple(Blame(current.index, current.attempt, describe_code(code)) for current in running)


def _judge_one(current: CurrentAttempt, code: int, late: Sequence[CurrentAttempt]) -> Blame:
    if current in late:
        reason, verdict = "it was stopped by force, for it did not notice its timeout", Verdict.TIMED_OUT
    elif late:
        others = ", ".join(str(other.index) for other in late)
        reason = f"instance {others} did not notice its timeout, and was stopped by force"
        verdict = Verdict.INTERRUPTED
    else:
        reason, verdict = describe_code(code), Verdict.SUSPECTED
    return Blame(current.index, current.attempt, reason, verdict)


def _describe_end(blames: Sequence[Blame], code: int) -> str:
    culprits = [blame for blame in blames if blame.verdict is not Verdict.INTERRUPTED]
    if not culprits:
        return f"The process of the jobs ended between two attempts ({describe_code(code)})"
    if len(culprits) == 1:
        return f"Instance {culprits[0].index} ended its process ({culprits[0].reason})"
    indices = ", ".join(str(blame.index) for blame in culprits)
    return f"One of the instances {indices} ended their process ({culprits[0].reason})"


def describe_code(code: int) -> str:
    """Return in words how a process ended: with which exit code, or by which signal where it is negative."""
    if code >= 0:
        return f"exit code {code}"
    hint = "; out of memory looks like this" if -code == signal.SIGKILL else ""
    return f"signal {-code}, {signal.strsignal(-code)}{hint}"
