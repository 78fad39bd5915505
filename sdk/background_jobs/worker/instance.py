"""One attempt of one job instance: call the job, and decide the event that says what came of it."""

import random
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Final, NamedTuple

from background_jobs.aws.payloads import Payloads
from background_jobs.core.errors import InvalidResult
from background_jobs.core.events import (
    JobAttemptFailed,
    JobCompleted,
    JobError,
    JobErrored,
    JobEvent,
    PayloadRef,
)
from background_jobs.core.payloads import INLINE_BYTES, bounded, result_document, storable
from background_jobs.core.retry import Retry, class_name, retry_in
from background_jobs.jobs import JobContext, JobDefinition
from background_jobs.worker.earlier_launches import EarlierAttempts
from background_jobs.worker.share import Params

_MESSAGE_CHARACTERS: Final = 2_000
_TRACEBACK_CHARACTERS: Final = 8_000


class Limit(NamedTuple):
    """How long an attempt may take, and what it is called when it takes longer."""

    seconds: float
    """Infinite for as long as it likes."""
    error_type: str
    message: str


class TimedOut(BaseException):
    """Raised in the middle of an attempt; not an Exception, so that a job's own `except` lets it pass."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of one instance: what it is given, and what came before it."""

    params: Params
    context: JobContext
    past: EarlierAttempts


class InstanceRunner:
    """Runs attempts of one job, one after the other."""

    def __init__(
        self, definition: JobDefinition, retry: Retry, payloads: Payloads, folder: str, log: str
    ) -> None:
        self._definition = definition
        self._retry = retry
        self._payloads = payloads
        self._folder = folder
        self._log = log

    def run(self, attempt: Attempt, limit: Limit) -> JobEvent:
        """Run *attempt* and return what came of it; whatever the job raises is in that.

        Only KeyboardInterrupt passes.
        """
        context = attempt.context
        started_at = datetime.now(UTC)
        try:
            with _limited(limit.seconds):
                result = self._definition(self._definition.validated(attempt.params.value), context)
            returned = self._returned(result, context)
        except TimedOut as error:
            return self.timed_out(attempt, limit, started_at, job_error(error).traceback)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 -- a job may raise anything, asyncio's own among it
            return self.failed(attempt, job_error(error), self._retry_in(error, attempt), started_at)
        return JobCompleted(
            orchestration_id=context.orchestration_id,
            at=datetime.now(UTC),
            index=context.index,
            attempts=context.attempt,
            started_at=started_at,
            **returned,
        )

    def timed_out(
        self, attempt: Attempt, limit: Limit, started_at: datetime | None = None, trace: str = ""
    ) -> JobEvent:
        """Return what comes of an attempt that took too long."""
        error = JobError(type=limit.error_type, message=limit.message, traceback=trace)
        return self.failed(attempt, error, self._retry_in(TimeoutError(), attempt), started_at)

    def failed(
        self,
        attempt: Attempt,
        error: JobError,
        retry_in_seconds: float | None,
        started_at: datetime | None = None,
    ) -> JobEvent:
        """Return the event of a failed attempt: another one to follow, or the end."""
        if retry_in_seconds is None:
            return errored(attempt, error, self._log, started_at)
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
        return retry_in(error, attempt.past.failures + 1, self._retry, draw=draw)

    def _returned(self, result: object, context: JobContext) -> dict[str, Any]:
        if result is None:
            return {}
        try:
            plain, document = result_document(result)
        except InvalidResult as refused:
            where = f"{context.job_name}[{context.index}] {context.job_id}"
            raise InvalidResult(f"{where}: {refused}") from refused
        if len(document) <= INLINE_BYTES:
            return {"result": plain}
        key = f"{self._folder}/results/{context.index:08d}.json"
        self._payloads.put(key, document)
        return {"result_ref": PayloadRef(key=key)}


def errored(attempt: Attempt, error: JobError, log: str, started_at: datetime | None = None) -> JobErrored:
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
        failed_attempts=attempt.past.remembered(),
        log=log,
        **attempt.params.as_fields(),
    )


def job_error(error: BaseException) -> JobError:
    """Return *error* as it is stored: its type, message and traceback, each bounded."""
    lines = traceback.format_exception(type(error), error, _from_the_job_on(error.__traceback__))
    return JobError(
        type=class_name(type(error)),
        message=bounded(storable(_said(error)), _MESSAGE_CHARACTERS),
        traceback=bounded(storable("".join(lines)), _TRACEBACK_CHARACTERS),
    )


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as unsaid:  # noqa: BLE001 -- whatever its own `__str__` raises
        return f"(its message cannot be made: {class_name(type(unsaid))})"


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise TimedOut in this thread after *seconds*, between two steps of the interpreter or in a sleep."""
    if seconds == float("inf"):
        yield
        return

    def end(_number: int, _frame: object) -> None:
        raise TimedOut

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _from_the_job_on(trace: TracebackType | None) -> TracebackType | None:
    """Return the part of *trace* below our own frames; all of it where the error is ours."""
    part = trace
    while part is not None and _is_ours(part):
        part = part.tb_next
    return part or trace


def _is_ours(part: TracebackType) -> bool:
    module: str = part.tb_frame.f_globals.get("__name__", "")
    return module.startswith("background_jobs.") or module == "contextlib"
