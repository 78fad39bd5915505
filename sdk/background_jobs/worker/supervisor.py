"""The outer process of a container: it runs no jobs, so a job that ends its process cannot end this one."""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from background_jobs.core.containers.statuses import OUT_OF_MEMORY
from background_jobs.core.limits import STOP_SECONDS
from background_jobs.worker.blame import Blame, describe_end, judge
from background_jobs.worker.current_attempt import CurrentAttempt, SharedCurrentAttempt
from background_jobs.worker.descendants import Descendants, adopting_orphans
from background_jobs.worker.memory_kills import count_memory_kills
from background_jobs.worker.next_shares import NextShare
from background_jobs.worker.share_process import ShareProcess

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
REUSABLE: Final = 77
"""What stands for 0 where the process may work on another share; no process ends with it."""

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
    next_share: Callable[[], NextShare | None] = lambda: None,
) -> int:
    """Have a process that *start* starts work through the share; return the exit status of the container.

    The process publishes its current attempt in the memory that *share* makes and *start* is given. When a
    job has ended the process, or our own code failed in it, another one is started, which is told about its
    predecessor. Only a process in which no attempt began ends the container, so that a launch is spent for
    nothing less; and one that ran out of memory, where *may_grow* says that it may be launched with more.

    A process that stays when it is done gets the share that *next_share* waits for and returns; where that
    returns None, it ends.
    """
    with _noting_termination() as termination, adopting_orphans() as descendants:
        supervisor = _Supervisor(start, share, descendants, termination, may_grow=may_grow)
        while True:
            status = supervisor.finish_share()
            if not supervisor.has_kept:
                return status
            with _ending_at_once():
                following = None if termination.requested else next_share()
            if following is None:
                return supervisor.end_kept()
            supervisor.hand(following)


class _Supervisor:
    """Has one process after the other work on a share until it is finished; the last may stay for another."""

    def __init__(
        self,
        start: Start,
        share: Callable[[], SharedCurrentAttempt],
        descendants: Descendants,
        termination: "_Termination",
        *,
        may_grow: bool,
    ) -> None:
        self._start = start
        self._share = share
        self._descendants = descendants
        self._termination = termination
        self._may_grow = may_grow
        self._kept: _Child | None = None

    @property
    def has_kept(self) -> bool:
        """Tell whether a process stays that is done with its share."""
        return self._kept is not None

    def hand(self, share: NextShare) -> None:
        """Hand *share* to the process that stays, if it is still there."""
        if self._kept and not self._kept.process.hand(share):
            self._descendants.end()
            self._kept = None

    def end_kept(self) -> int:
        """Have the process end that stays, in order; return the exit status of the container."""
        if self._kept:
            self._kept.process.close()
            self._kept.wait(self._termination)
        return TERMINATED if self._termination.requested else 0

    def finish_share(self) -> int:
        """Return the exit status of the container for this share."""
        predecessor: Predecessor | None = None
        while True:
            memory_kills = count_memory_kills()
            child = self._kept or self._begin(predecessor)
            code, late = child.wait(self._termination)
            self._kept = child.for_next_share() if child.stays else None
            self._descendants.end(spared={child.process.pid} if child.stays else ())
            if child.stays:
                return 0
            child.process.close()
            if self._termination.requested:
                return TERMINATED
            # A job may end its process with any status, so our own code announces how it ends.
            current_attempt = child.current_attempt
            announced = current_attempt.read_end()
            if announced not in {None, OWN_FAILURE, REPLACED}:
                return announced or 0
            if self._may_grow and code == -signal.SIGKILL and count_memory_kills() > memory_kills:
                _log.error("The memory of the container is full; another one with more goes on")
                return OUT_OF_MEMORY
            launch = current_attempt.read_launch()
            if launch is None:
                return announced or (code if code >= 0 else 128 - code) or OWN_FAILURE
            running, is_own_failure = current_attempt.read_all(), announced is not None
            blames = judge(running, code, late, is_own_failure=is_own_failure, is_held=child.was_held)
            if announced != REPLACED:
                _log.error("%s; another process goes on", describe_end(blames, code))
            predecessor = Predecessor(launch, blames, in_order=announced == REPLACED)

    def _begin(self, predecessor: Predecessor | None) -> "_Child":
        current_attempt = self._share()
        process = ShareProcess(self._start(current_attempt, predecessor), current_attempt.link)
        return _Child(process, current_attempt)


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


@contextmanager
def _ending_at_once() -> Iterator[None]:
    """Let SIGTERM and SIGINT end this process: it has no share."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, signal.SIG_DFL) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


class _Child:
    """The process that runs the jobs, seen from its parent."""

    def __init__(self, process: ShareProcess, current_attempt: SharedCurrentAttempt) -> None:
        self.process: Final = process
        self.current_attempt: Final = current_attempt
        self.stays = False
        """Whether it is done with its share, and waits for another one."""
        self._late: list[CurrentAttempt] = []
        self.was_held = False
        """Whether one of several attempts held the interpreter when the child was killed for late ones."""
        self._kill_at = float("inf")
        self._is_told = False

    def for_next_share(self) -> "_Child":
        """Return this child as one that has done nothing yet."""
        return _Child(self.process, self.current_attempt)

    def wait(self, termination: _Termination) -> tuple[int, list[CurrentAttempt]]:
        """Wait until the child ends, or stays though it is done; return its exit code, -n after signal n.

        Returns also the attempts for which it was killed, because they did not notice their timeout.
        """
        with self.process.watched() as wait:
            while (code := wait(_LOOK_SECONDS)) is None:
                self._end_if_due(termination)
        self.stays = self.process.stays
        return code, self._late

    def _end_if_due(self, termination: _Termination) -> None:
        now = time.monotonic()
        if (end := self.current_attempt.read_end()) is not None:
            grace = _LOST_GRACE_SECONDS if end == SHARE_LOST else _END_GRACE_SECONDS
            self._kill_at = min(self._kill_at, now + grace)
        if termination.requested:
            self._kill_at = min(self._kill_at, now + _SIGTERM_GRACE_SECONDS)
            if not self._is_told:
                self._is_told = True
                self.current_attempt.tell_to_end()
                os.kill(self.process.pid, signal.SIGTERM)
        latest = now - _TIMEOUT_GRACE_SECONDS
        if late := [current for current in self.current_attempt.read_all() if current.deadline < latest]:
            self._late, self._kill_at = late, now
            self.was_held = self.current_attempt.seconds_since_turn() > _HELD_SECONDS
        if now >= self._kill_at:
            os.kill(self.process.pid, signal.SIGKILL)
