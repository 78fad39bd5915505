"""What may end the work of a container early: a cancellation, the orchestration's deadline, SIGTERM."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

from background_jobs.aws.event_log import EventLog
from background_jobs.core.events import JobError, OrchestrationCancelled, OrchestrationStarted
from background_jobs.core.limits import LOOK_SECONDS

_TICK_SECONDS: Final = 0.2
_TICKS_A_LOOK: Final = round(LOOK_SECONDS / _TICK_SECONDS)
_log = logging.getLogger(__name__)


class StopSignals:
    """A context in which the end is looked out for; a thread calls *on_sigterm* when SIGTERM comes."""

    def __init__(
        self,
        event_log: EventLog,
        started: OrchestrationStarted,
        cancellation: OrchestrationCancelled | None,
        on_sigterm: Callable[[], None],
    ) -> None:
        self.cancelled = threading.Event()
        self.told_to_end = False
        self._event_log = event_log
        self._started = started
        self._on_sigterm = on_sigterm
        self._reason = ""
        self._note(cancellation)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._look_out, name="control", daemon=True)

    def verdict(self) -> JobError | None:
        """Return why what has not run yet is to end Errored; None while it may run."""
        if self.cancelled.is_set():
            return JobError(type="Cancelled", message=self._reason or "The orchestration was cancelled.")
        if self.seconds_left() <= 0:
            return JobError(
                type="OrchestrationTimeout",
                message=f"The orchestration's timeout ended at {self._started.deadline}.",
            )
        return None

    def seconds_left(self) -> float:
        """Return how long the orchestration's timeout leaves; infinite where it has none."""
        deadline = self._started.deadline
        return float("inf") if deadline is None else (deadline - datetime.now(UTC)).total_seconds()

    def wait(self, seconds: float) -> None:
        """Wait for *seconds*, or until there is reason to look again."""
        end = time.monotonic() + seconds
        while not (self.told_to_end or self.cancelled.is_set()) and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _TICK_SECONDS))

    def __enter__(self) -> Self:
        signal.signal(signal.SIGTERM, self._told_to_end)
        # Processes that a job forks are to end when it tells them to, also in their first moment.
        os.register_at_fork(
            before=_hold_sigterm, after_in_parent=_release_sigterm, after_in_child=_end_on_sigterm
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._thread.join()

    def _told_to_end(self, _number: int, _frame: object) -> None:
        # A handler may not take a lock, for the code that it interrupts may hold it; the thread looks.
        self.told_to_end = True

    def _look_out(self) -> None:
        ticks = 0
        while not self._closed.wait(_TICK_SECONDS):
            ticks += 1
            if self.told_to_end:
                self._on_sigterm()
                return
            if ticks % _TICKS_A_LOOK == 0 and not self.cancelled.is_set():
                self._look_for_cancellation()

    def _look_for_cancellation(self) -> None:
        try:
            cancellation = self._event_log.read_cancelled(self._started.orchestration_id)
        except Exception as error:  # noqa: BLE001 -- looked for again in a moment
            _log.warning("Whether the orchestration was cancelled is not known: %s", error)
            return
        self._note(cancellation)

    def _note(self, cancellation: OrchestrationCancelled | None) -> None:
        if cancellation is not None:
            self._reason = cancellation.reason
            self.cancelled.set()


def _hold_sigterm() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])


def _release_sigterm() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])


def _end_on_sigterm() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _release_sigterm()
