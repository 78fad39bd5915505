"""What happens to the process of the jobs between two attempts."""

from collections.abc import Callable
from typing import Self

from background_jobs.core.events import JobAttemptFailed, JobErrored, JobEvent
from background_jobs.worker.left_processes import LeftProcesses
from background_jobs.worker.process_state import ProcessState
from background_jobs.worker.stop_signals import TIMEOUTS


class ProcessCleanup:
    """A context in which attempts run one after the other, and none meets what another has left behind.

    Orphaned processes are looked for below *supervisor*, the outer process of the container.
    """

    def __init__(self, supervisor: int) -> None:
        self._state = ProcessState()
        self._processes = LeftProcesses(supervisor)
        self.failed = ""
        """Why another process must go on, in words; nothing while this one may."""

    def __enter__(self) -> Self:
        self._state.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._state.__exit__(*raised)

    def run(self, attempt: Callable[..., JobEvent], *args: object) -> JobEvent:
        """Return how *attempt* ended, once the process is as it was before."""
        event = self._state.run(attempt, *args)
        timed_out = isinstance(event, JobAttemptFailed | JobErrored) and event.error.type in TIMEOUTS
        processes, state = self._end_processes(timed_out=timed_out), self._state.restore()
        self.failed = processes or state
        return event

    def _end_processes(self, *, timed_out: bool) -> str:
        try:
            return self._processes.end(timed_out=timed_out)
        except Exception as error:  # noqa: BLE001 -- the end of the attempt must not be lost with what it did
            return f"what an instance started cannot be ended ({type(error).__name__}: {error})"
