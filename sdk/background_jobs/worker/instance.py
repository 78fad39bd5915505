"""One attempt of one job instance: call the job, and decide the event that says how the attempt ended."""

import random
import threading
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Final, NamedTuple

from background_jobs.core.events import JobAttemptFailed, JobCompleted, JobError, JobErrored, JobEvent
from background_jobs.core.retry import Retry, class_name, retry_in
from background_jobs.jobs import JobContext, JobDefinition
from background_jobs.tracing import NO_TRACING, Tracing
from background_jobs.worker.coroutines import CoroutineRunner
from background_jobs.worker.earlier_launches import EarlierAttempts
from background_jobs.worker.forked_children import EndingForkedChildren
from background_jobs.worker.interruptions import Interruptible, Interruption, TimedOut, TimeLimit
from background_jobs.worker.result_store import ResultStore
from background_jobs.worker.share import InstanceParams


class AttemptLimit(NamedTuple):
    """How long an attempt may take, and the error of an attempt that takes longer."""

    seconds: float
    """Infinite where nothing limits the attempt."""
    error_type: str
    message: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of one instance: what the job is given, and the attempts before this one."""

    params: InstanceParams
    context: JobContext
    earlier: EarlierAttempts


class _OwnOfThread(threading.local):
    """What each thread that runs attempts has to itself."""

    def __init__(self) -> None:
        self.coroutines = CoroutineRunner()


_own: Final = _OwnOfThread()
"""For all shares on which this process works: a client of asyncio is bound to its event loop."""


class InstanceRunner:
    """Runs attempts of one job, one after the other in each thread."""

    def __init__(
        self,
        definition: JobDefinition,
        retry: Retry,
        results: ResultStore,
        log: str,
        tracing: Tracing = NO_TRACING,
    ) -> None:
        self._tracing = tracing
        self._definition = definition
        self._retry = retry
        self._results = results
        self._log = log

    def run(
        self, attempt: Attempt, limit: AttemptLimit, interruption: Interruption | None = None
    ) -> JobEvent:
        """Run *attempt* and return the event of its end; what the job raises becomes part of the event.

        *interruption* is a context from which TimedOut may be raised; without it, signals interrupt the
        attempt, which is possible in the main thread only.
        """
        with self.traced(attempt) as ended:
            event = self._run(attempt, limit, interruption)
            ended(event)
        return event

    def traced(self, attempt: Attempt) -> AbstractContextManager[Callable[[JobEvent], None]]:
        """Return the context in which *attempt* runs; what it gives takes the event of its end."""
        return self._tracing.attempt(attempt.context)

    def _run(self, attempt: Attempt, limit: AttemptLimit, interruption: Interruption | None) -> JobEvent:
        started_at = datetime.now(UTC)
        try:
            result = self._call_in_time(attempt, limit, interruption)
            return self.completed(attempt, result, started_at)
        except BaseException as error:  # noqa: BLE001 -- a job may raise anything, KeyboardInterrupt among it
            is_late = issubclass(type(error), TimedOut)  # an error of a job may hide its class
            return self.failed(attempt, limit, error, started_at, is_late=is_late)

    def begin(self, attempt: Attempt) -> Any:  # noqa: ANN401 -- whatever the job returns
        """Call the job, and return what it returns: its result, or what is to be awaited for it."""
        params = self._definition.read_params(attempt.params.line)
        return self._definition(params, attempt.context)

    def completed(self, attempt: Attempt, result: object, started_at: datetime) -> JobEvent:
        """Return that the job has returned *result*. Raises InvalidResult."""
        context = attempt.context
        result_fields = self._results.store(result, context)
        return JobCompleted(
            orchestration_id=context.orchestration_id,
            at=datetime.now(UTC),
            index=context.index,
            attempts=context.attempt,
            started_at=started_at,
            **result_fields,
        )

    def failed(
        self,
        attempt: Attempt,
        limit: AttemptLimit,
        error: BaseException,
        started_at: datetime,
        *,
        is_late: bool,
    ) -> JobEvent:
        """Return that *attempt* has raised *error*, because it took too long where *is_late*."""
        described = describe_error(error)
        if is_late:
            return self.decide_after_timeout(attempt, limit, started_at, described.traceback)
        return self.decide_after_failure(attempt, described, self._retry_in(error, attempt), started_at)

    def _call_in_time(self, attempt: Attempt, limit: AttemptLimit, interruption: Interruption | None) -> Any:  # noqa: ANN401 -- whatever the job returns
        if interruption is not None:
            with EndingForkedChildren(), interruption:
                return self._call(attempt)
        with EndingForkedChildren(), Interruptible(), TimeLimit(limit.seconds):
            return self._call(attempt)

    def _call(self, attempt: Attempt) -> Any:  # noqa: ANN401 -- whatever the job returns
        return _own.coroutines.result_of(self.begin(attempt))

    def decide_after_timeout(
        self, attempt: Attempt, limit: AttemptLimit, started_at: datetime | None = None, trace: str = ""
    ) -> JobEvent:
        """Return the event of an attempt that took too long: another one follows, or none."""
        error = JobError(type=limit.error_type, message=limit.message, traceback=trace)
        retry_in_seconds = self._retry_in(TimeoutError(), attempt)
        return self.decide_after_failure(attempt, error, retry_in_seconds, started_at)

    def decide_after_failure(
        self,
        attempt: Attempt,
        error: JobError,
        retry_in_seconds: float | None,
        started_at: datetime | None = None,
    ) -> JobEvent:
        """Return the event of a failed attempt; None for *retry_in_seconds* means that no other follows."""
        if retry_in_seconds is None:
            return job_errored_event(attempt, error, self._log, started_at)
        now = datetime.now(UTC)
        return JobAttemptFailed(
            orchestration_id=attempt.context.orchestration_id,
            at=now,
            index=attempt.context.index,
            attempt=attempt.context.attempt,
            error=error,
            retry_at=now + timedelta(seconds=retry_in_seconds),
        )

    def _retry_in(self, error: BaseException, attempt: Attempt) -> float | None:
        draw = random.random()  # noqa: S311 -- jitter, not a secret
        try:
            return retry_in(error, attempt.earlier.counted_failures + 1, self._retry, draw=draw)
        except BaseException:  # noqa: BLE001 -- a RetryAfter of a job's own may raise where it is asked for its wait
            return None


def job_errored_event(
    attempt: Attempt, error: JobError, log: str, started_at: datetime | None = None
) -> JobErrored:
    """Return the event of an instance that gave up, with the params that caused it."""
    context = attempt.context
    return JobErrored(
        orchestration_id=context.orchestration_id,
        at=datetime.now(UTC),
        index=context.index,
        attempts=context.attempt,
        started_at=started_at,
        job_name=context.job_name,
        error=error,
        failed_attempts=attempt.earlier.last_failures(),
        log=log,
        **attempt.params.as_fields(),
    )


def describe_error(error: BaseException) -> JobError:
    """Return *error* as it is stored; the event holds type, message and traceback to their bounds.

    An error of a job may raise another one wherever it is looked at; that one is named in its place.
    """
    return JobError(
        type=class_name(type(error)),
        message=_message_of(error),
        traceback=_traceback_of(error),
    )


def _message_of(error: BaseException) -> str:
    try:
        # `str(error)` may be of a class of the job's own; this is plain text.
        return str.__str__(str(error))
    except BaseException as broken:  # noqa: BLE001 -- whatever its own `__str__` raises
        return f"(its message cannot be made: {class_name(type(broken))})"


def _traceback_of(error: BaseException) -> str:
    trace = _drop_own_frames(error.__traceback__)
    try:
        return "".join(traceback.format_exception(type(error), error, trace))
    except BaseException as broken:  # noqa: BLE001 -- its notes, its causes, or the parts of a SyntaxError
        note = f"(the rest cannot be made: {class_name(type(broken))})"
        return "".join([*traceback.format_tb(trace), class_name(type(error)), "\n", note])


def _drop_own_frames(trace: TracebackType | None) -> TracebackType | None:
    """Return *trace* from the job's first frame on; all of it where the error is our own."""
    part = trace
    while part is not None and _is_own_frame(part):
        part = part.tb_next
    return part or trace


def _is_own_frame(part: TracebackType) -> bool:
    module = str(part.tb_frame.f_globals.get("__name__", ""))
    return module.startswith("background_jobs.")
