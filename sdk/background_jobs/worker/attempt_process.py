"""Attempts that run in a process of their own, which is forked for each and ends with it."""

import atexit
import mmap
import multiprocessing
import threading
import time
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from threading import Event
from typing import Any, Final, cast

from background_jobs.core.events import JobCompleted, JobEvent
from background_jobs.core.retry import Retry
from background_jobs.jobs import JobContext, JobDefinition
from background_jobs.tracing import NO_TRACING, Tracing
from background_jobs.worker.blame import Blame, Verdict, describe_code
from background_jobs.worker.descendants import adopt_orphans, end_descendants, leave_process_group
from background_jobs.worker.inner_process import finish
from background_jobs.worker.instance import Attempt, AttemptLimit, InstanceRunner, describe_error
from background_jobs.worker.interruptions import Interruption
from background_jobs.worker.predecessor import judge_lost_attempt
from background_jobs.worker.result_store import ResultStore, as_document

_FORK: Final = multiprocessing.get_context("fork")
_TIMEOUT_GRACE_SECONDS: Final = 0.5
"""How long an attempt may take to notice its timeout; then its process is killed."""
_END_GRACE_SECONDS: Final = 25.0
"""How long threads and handlers of atexit may take after an attempt."""
_LOOK_SECONDS: Final = 0.2
_processes: Final = threading.Lock()
"""Held by the thread that makes a process, or learns how one ended: multiprocessing does both for all."""


class AttemptProcessRunner(InstanceRunner):
    """Runs attempts of one job, each in a process of its own.

    The process does nothing but run the job. This one stores what it returns and records what it reports,
    because the other must not use connections to AWS that both have.
    """

    def __init__(
        self,
        definition: JobDefinition,
        retry: Retry,
        results: ResultStore,
        log: str,
        tracing: Tracing = NO_TRACING,
    ) -> None:
        super().__init__(definition, retry, results, log)
        unstored = cast("ResultStore", _UnstoredResults())
        self._in_child = InstanceRunner(definition, retry, unstored, log, tracing)
        self._tracing_in_child = tracing
        self._collector_is_silent = _SharedFlag()

    def run(
        self, attempt: Attempt, limit: AttemptLimit, interruption: Interruption | None = None
    ) -> JobEvent:
        """Run *attempt* and return the event of its end, also where it ended its process.

        The process is told its time, and killed; also when TimedOut was sent by *interruption*.
        """
        deadline = time.monotonic() + limit.seconds
        cancelled = _SharedFlag()
        # One at a time: an end of a pipe that another child inherits stays open as long as that child.
        with _processes:
            receiver, sender = _FORK.Pipe(duplex=False)
            process = _FORK.Process(target=self._run_in_child, args=(attempt, limit, cancelled, sender))
            process.start()
            sender.close()
        with receiver:
            event = _receive(receiver, process, attempt.context, cancelled, deadline, interruption)
        if event is not None:
            _wait_for_end(process, max(0.0, min(_END_GRACE_SECONDS, deadline - time.monotonic())))
        is_late = event is None and _is_alive(process)
        _end(process)
        if event is not None:
            return self._stored(event, attempt)
        context, reason = attempt.context, describe_code(process.exitcode or 0)
        verdict = Verdict.TIMED_OUT if is_late else Verdict.LOST
        blame = Blame(context.index, context.attempt, reason, verdict)
        return judge_lost_attempt(blame, attempt, self, limit)

    def _run_in_child(
        self, attempt: Attempt, limit: AttemptLimit, cancelled: "_SharedFlag", sender: Connection
    ) -> None:
        leave_process_group()
        adopt_orphans()
        # What was registered before is for the process that forked this one.
        atexit._clear()  # noqa: SLF001 -- there is no public way
        own, sending = multiprocessing.current_process().pid, threading.Lock()

        def record(percent: int, message: str) -> None:
            if multiprocessing.current_process().pid != own:  # a process that the job forked
                return
            with sending:
                sender.send((percent, message))

        context = replace(attempt.context, _cancelled=cast("Event", cancelled), _record=record)
        event = self._in_child.run(replace(attempt, context=context), limit)
        with sending:
            sender.send(event)
        self._send_traces()
        finish()
        end_descendants()

    def _send_traces(self) -> None:
        """Send what the attempt traced, unless one before has waited for a collector that does not answer."""
        if not self._collector_is_silent.is_set() and not self._tracing_in_child.flush():
            self._collector_is_silent.set()

    def _stored(self, event: JobEvent, attempt: Attempt) -> JobEvent:
        if not isinstance(event, JobCompleted):
            return event
        try:
            stored = self._results.store(event.result, attempt.context)
        except Exception as error:  # noqa: BLE001 -- as where the job has no process of its own
            return self.decide_after_failure(attempt, describe_error(error), self._retry_in(error, attempt))
        return event.model_copy(update={"result": None, **stored})


class _SharedFlag:
    """The part of an Event that a JobContext asks, for a process and those that it forks."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 1)

    def set(self) -> None:
        self._memory[0] = 1

    def is_set(self) -> bool:
        return self._memory[0] == 1


class _UnstoredResults:
    """Keeps results of any size in their event."""

    @staticmethod
    def store(result: object, context: JobContext) -> dict[str, Any]:
        return {} if result is None else {"result": as_document(result, context)[0]}


def _is_alive(process: ForkProcess) -> bool:
    with _processes:
        return process.is_alive()


def _wait_for_end(process: ForkProcess, seconds: float) -> None:
    if wait([process.sentinel], seconds):
        with _processes:
            process.join()


def _end(process: ForkProcess) -> None:
    """Kill *process*, if it has not ended, and all that runs below it."""
    if _is_alive(process) and process.pid:
        end_descendants(process.pid)
        process.kill()
    with _processes:
        process.join()


def _receive(  # noqa: PLR0913, PLR0917 -- each may end the wait
    receiver: Connection,
    process: ForkProcess,
    context: JobContext,
    cancelled: _SharedFlag,
    deadline: float,
    interruption: Interruption | None,
) -> JobEvent | None:
    """Return the event that the process sends last; None where it ended without one, or is late.

    What else it sends is its progress.
    """
    while (left := deadline + _TIMEOUT_GRACE_SECONDS - time.monotonic()) > 0:
        if context.cancelled():
            cancelled.set()
        if getattr(interruption, "is_sent", False):
            return None
        is_alive = _is_alive(process)
        if receiver.poll(min(left, _LOOK_SECONDS) if is_alive else 0):
            try:
                message: JobEvent | tuple[int, str] = receiver.recv()
            except EOFError:
                _wait_for_end(process, min(left, _END_GRACE_SECONDS))
                return None
            if not isinstance(message, tuple):
                return message
            context._record(*message)  # noqa: SLF001 -- it has passed the other's throttle
        elif not is_alive:
            return None
    return None
