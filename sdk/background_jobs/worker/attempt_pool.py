"""Attempts that run at once in one process, each in a thread."""

import threading
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Final, Protocol

from background_jobs.core.events import JobEvent
from background_jobs.worker.current_attempt import CurrentAttempt
from background_jobs.worker.instance import Attempt, AttemptLimit
from background_jobs.worker.interruptions import ThreadInterruption
from background_jobs.worker.printed_lines import end_lines
from background_jobs.worker.run_queue import QueuedInstance

_idle: Final = threading.Semaphore(0)
"""Counts the threads of this process that wait for an attempt."""


@dataclass(slots=True, eq=False)
class RunningAttempt:
    """An attempt that runs beside others."""

    instance: QueuedInstance
    attempt: Attempt
    limit: AttemptLimit
    current: CurrentAttempt
    slot: int
    context: Context
    """The context variables in which it runs."""
    begun: float
    """On the monotonic clock, in seconds."""
    is_interrupted: bool = False
    """Whether it was told that its time is over."""
    interruption: ThreadInterruption = field(default_factory=ThreadInterruption)


Run = Callable[[RunningAttempt], JobEvent]
Ended = SimpleQueue[tuple[RunningAttempt, JobEvent | BaseException]]
"""Attempts that have ended, each with its event, or with the failure of our own code."""
_handed: Final[SimpleQueue[tuple[Run, RunningAttempt, Ended]]] = SimpleQueue()
"""Attempts for these threads, each with what runs it, and where it is put in the end."""


class AttemptPool(Protocol):
    """What runs attempts, and puts each into the queue of those that have ended."""

    ignores_timeouts: bool
    """Whether an attempt may go on after it was interrupted, and others with it."""
    patience: float
    """How many seconds longer the outer process waits for a late attempt: ending its processes takes time."""

    def begin(self, running: RunningAttempt) -> None:
        """Let an attempt run."""

    def interrupt(self, running: RunningAttempt) -> None:
        """Tell an attempt that its time is over; it may have ended meanwhile."""

    def find_held_up(self) -> Sequence[RunningAttempt]:
        """Return the attempts that another one keeps from being interrupted."""

    def restore(self) -> str:
        """Undo what attempts left behind, of which none runs; return why that is impossible, or nothing."""


class AttemptThreads:
    """Runs attempts in threads, which stay for the next ones, also for those of the next share.

    *run* runs one. A thread that waits in C takes no notice of its timeout, and stays at the attempt.
    """

    ignores_timeouts = True
    patience = 0.0

    def __init__(self, run: Run, ended: Ended) -> None:
        self._run = run
        self._ended = ended

    def begin(self, running: RunningAttempt) -> None:
        """Let an attempt run, in a new thread where all others are busy."""
        if not _idle.acquire(blocking=False):
            threading.Thread(target=_work, name="attempts", daemon=True).start()
        _handed.put((self._run, running, self._ended))

    @staticmethod
    def interrupt(running: RunningAttempt) -> None:
        """Have TimedOut raised in the attempt."""
        running.interruption.send()

    @staticmethod
    def find_held_up() -> Sequence[RunningAttempt]:
        """Return nothing: who holds the interpreter holds up also the thread that asks."""
        return ()

    @staticmethod
    def restore() -> str:
        """Return nothing: threads have nothing to restore."""
        return ""


class AttemptProcesses(AttemptThreads):
    """Has a process for each attempt, which a thread waits for, and ends when its time is over."""

    ignores_timeouts = False
    patience = 10.0

    @staticmethod
    def interrupt(running: RunningAttempt) -> None:
        """Do nothing: the thread that waits for the process knows the time, too."""


def _work() -> None:
    while True:
        run, running, ended = _handed.get()
        result: JobEvent | BaseException
        try:
            result = running.context.run(run, running)
        except BaseException as error:  # noqa: BLE001 -- raised in the thread that takes what has ended
            result = error
        running.context.run(end_lines)
        _idle.release()
        ended.put((running, result))
