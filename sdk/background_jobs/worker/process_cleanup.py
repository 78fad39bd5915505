"""What happens to the process of the jobs between two attempts."""

from collections.abc import Callable
from contextvars import Context
from typing import Self

from background_jobs.core.events import JobAttemptFailed, JobErrored, JobEvent
from background_jobs.worker.descendants import has_children
from background_jobs.worker.left_processes import LeftProcesses
from background_jobs.worker.process_state import LEFT_THREADS, ProcessState, count_threads
from background_jobs.worker.stop_signals import TIMEOUTS


def is_timeout(event: JobEvent) -> bool:
    """Tell whether an attempt ended because it took too long."""
    return isinstance(event, JobAttemptFailed | JobErrored) and event.error.type in TIMEOUTS


class ProcessCleanup:
    """A context in which attempts run, and none that runs alone meets what another has left behind.

    Orphaned processes are looked for below *supervisor*, the outer process of the container. *own_threads*
    are to come that run attempts.
    """

    def __init__(self, supervisor: int, own_threads: int = 0) -> None:
        self._state = ProcessState(own_threads)
        self._processes = LeftProcesses(supervisor)
        self.failed = ""
        """Why another process must go on, in words; nothing while this one may."""
        self.has_timed_out = False
        """Whether an attempt took too long: what it was at is not known to have ended."""

    def __enter__(self) -> Self:
        self._state.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._state.__exit__(*raised)

    def new_context(self) -> Context:
        """Return context variables for an attempt, as they were before the first."""
        return self._state.new_context()

    def run(self, attempt: Callable[..., JobEvent], *args: object) -> JobEvent:
        """Return how *attempt* ended, once the process is as it was before."""
        event = self._state.run(attempt, *args)
        self.restore(timed_out=is_timeout(event))
        return event

    def restore(self, *, timed_out: bool) -> None:
        """Make the process what it was before the first attempt, where none runs any more."""
        self.has_timed_out |= timed_out
        processes, state = self._end_processes(timed_out=timed_out), self._state.restore()
        self.failed = processes or state

    def allows_another_share(self) -> bool:
        """Tell whether the process is what it was before the first attempt, and may stay for another share.

        The next share takes what it finds for the process as it was before. So no child may be left, which
        instances of one share may hand on, and threads are counted over all shares.
        """
        return not (self.failed or self.has_timed_out or has_children() or count_threads() > LEFT_THREADS)

    def note_use(self) -> None:
        """Look whether attempts have left too much, while others run."""
        self.fail(self._state.find_excess())

    def fail(self, reason: str) -> None:
        """Note that another process must go on for *reason*; nothing is no reason."""
        self.failed = self.failed or reason

    def _end_processes(self, *, timed_out: bool) -> str:
        try:
            return self._processes.end(timed_out=timed_out)
        except Exception as error:  # noqa: BLE001 -- the end of the attempt must not be lost with what it did
            return f"what an instance started cannot be ended ({type(error).__name__}: {error})"
