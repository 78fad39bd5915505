"""What may end the work of a container early: a cancellation, a deadline, SIGTERM, a lost outer process."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from functools import cache
from types import TracebackType
from typing import Final, Self

from background_jobs.aws.event_log import EventLog
from background_jobs.core.events import JobError, OrchestrationCancelled, OrchestrationStarted
from background_jobs.core.limits import LOOK_SECONDS
from background_jobs.core.task_failure import ORCHESTRATION_TIMEOUT
from background_jobs.worker.current_attempt import SharedCurrentAttempt
from background_jobs.worker.instance import AttemptLimit
from background_jobs.worker.working_time import WorkingTime

_ATTEMPT_TIMEOUT: Final = "AttemptTimeout"
TIMEOUTS: Final = frozenset({_ATTEMPT_TIMEOUT, ORCHESTRATION_TIMEOUT})
"""The types of error of an attempt that took longer than it may."""
_TICK_SECONDS: Final = 0.2
_TICKS_PER_LOOK: Final = round(LOOK_SECONDS / _TICK_SECONDS)
_log = logging.getLogger(__name__)


class StopSignals:
    """A context in which a thread watches for reasons to stop; it calls *on_sigterm* when SIGTERM comes.

    Where the outer process is gone, this one ends at once: nobody would know of it, and its share is
    launched again. *supervisor* is what the two share. *also_look* is called as often as it looks for a
    cancellation.
    """

    def __init__(  # noqa: PLR0913, PLR0917 -- each is another reason to stop
        self,
        event_log: EventLog,
        started: OrchestrationStarted,
        cancellation: OrchestrationCancelled | None,
        working_time: WorkingTime,
        on_sigterm: Callable[[], None],
        supervisor: SharedCurrentAttempt,
        also_look: Callable[[], None] = lambda: None,
    ) -> None:
        self.cancelled = threading.Event()
        self.terminated = False
        """Whether the container was told to end."""
        self._event_log = event_log
        self._started = started
        self._working_time = working_time
        self._on_sigterm = on_sigterm
        self._supervisor = supervisor
        self._also_look = also_look
        self._reason = ""
        self._note_cancellation(cancellation)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stop-signals", daemon=True)

    def error(self) -> JobError | None:
        """Return why the instances that have not run yet are to end Errored; None while they may run."""
        if self.cancelled.is_set():
            return JobError(type="Cancelled", message=self._reason or "The orchestration was cancelled.")
        if self.seconds_left() <= 0:
            return JobError(type=ORCHESTRATION_TIMEOUT, message=self._timeout_message)
        return None

    def limit_attempt(self, timeout: float | None) -> AttemptLimit:
        """Return how long an attempt of a job with this *timeout* may take that begins now."""
        left = self.seconds_left()
        if timeout is None or left < timeout:
            return AttemptLimit(left, ORCHESTRATION_TIMEOUT, self._timeout_message)
        message = f"The attempt took longer than its timeout of {timeout:g} s."
        return AttemptLimit(timeout, _ATTEMPT_TIMEOUT, message)

    def seconds_left(self) -> float:
        """Return how long the orchestration's timeout leaves; infinite where it has none."""
        return self._working_time.seconds_to_deadline()

    @property
    def _timeout_message(self) -> str:
        return f"The orchestration's timeout ended at {self._started.deadline}."

    def wait(self, seconds: float) -> None:
        """Wait for *seconds*, or until SIGTERM or a cancellation comes."""
        end = time.monotonic() + seconds
        while not (self.terminated or self.cancelled.is_set()) and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _TICK_SECONDS))

    def __enter__(self) -> Self:
        signal.signal(signal.SIGTERM, self._handle_sigterm)
        _end_forked_on_sigterm()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._thread.join()

    def _handle_sigterm(self, _number: int, _frame: object) -> None:
        if not self._supervisor.is_told_to_end():
            # A job has sent it, or a program of one: it ends the process of that job, as it ends any other.
            _end_on_sigterm()
            os.kill(os.getpid(), signal.SIGTERM)
        # A handler may take no lock, for the code that it interrupts may hold it; the thread does the rest.
        self.terminated = True
        self._working_time.shorten()

    def _watch(self) -> None:
        ticks = 0
        while not self._closed.wait(_TICK_SECONDS):
            ticks += 1
            if self._supervisor.is_unwatched():
                os.kill(os.getpid(), signal.SIGKILL)
            if self.terminated:
                self._on_sigterm()
                return
            if ticks % _TICKS_PER_LOOK == 0 and not self.cancelled.is_set():
                self._look_for_cancellation()
            if ticks % _TICKS_PER_LOOK == 0:
                self._look_for_more()

    def _look_for_cancellation(self) -> None:
        try:
            cancellation = self._event_log.read_cancelled(self._started.orchestration_id)
        except Exception as error:  # noqa: BLE001 -- the next look may succeed
            _log.warning("Whether the orchestration was cancelled is not known: %s", error)
            return
        self._note_cancellation(cancellation)

    def _look_for_more(self) -> None:
        try:
            self._also_look()
        except Exception as error:  # noqa: BLE001 -- see above
            _log.warning("Whether a copy was done first is not known: %s", error)

    def _note_cancellation(self, cancellation: OrchestrationCancelled | None) -> None:
        if cancellation is not None:
            self._reason = cancellation.reason
            self.cancelled.set()


@cache
def _end_forked_on_sigterm() -> None:
    """Have a process that a job forks end on the job's SIGTERM, also in the first moment of the process."""
    os.register_at_fork(
        before=_hold_sigterm, after_in_parent=_release_sigterm, after_in_child=_end_on_sigterm
    )


def _hold_sigterm() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])


def _release_sigterm() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])


def _end_on_sigterm() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _release_sigterm()
