"""One job instance: call the job, and decide the event that says how it ended."""

import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final

from background_jobs.aws.payloads import Payloads
from background_jobs.core.errors import InvalidResult
from background_jobs.core.events import JobCompleted, JobError, JobErrored, JobOutcome, PayloadRef
from background_jobs.core.payloads import INLINE_BYTES, bounded, result_document
from background_jobs.jobs import JobContext, JobDefinition
from background_jobs.worker.share import Params

_MESSAGE_CHARACTERS: Final = 2_000
_TRACEBACK_CHARACTERS: Final = 8_000


class InstanceRunner:
    """Runs instances of one job, one after the other."""

    def __init__(self, definition: JobDefinition, payloads: Payloads, log: str) -> None:
        self._definition = definition
        self._payloads = payloads
        self._log = log

    def run(self, params: Params, context: JobContext) -> JobOutcome:
        """Run one instance and return its outcome; whatever the job raises is in it.

        Only KeyboardInterrupt passes, and what stops the process.
        """
        started_at = datetime.now(UTC)
        try:
            result = self._definition(self._definition.validated(params.value), context)
            returned = self._returned(result, context)
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- a job may raise anything
            return errored(context, params, job_error(error), self._log, started_at)
        return JobCompleted(
            orchestration_id=context.orchestration_id,
            at=datetime.now(UTC),
            index=context.index,
            attempts=context.attempt,
            started_at=started_at,
            **returned,
        )

    def _returned(self, result: object, context: JobContext) -> dict[str, Any]:
        if result is None:
            return {}
        try:
            plain, document = result_document(result)
        except InvalidResult as refused:
            raise InvalidResult(
                f"{context.job_name}[{context.index}] {context.job_id}: {refused}"
            ) from refused
        if len(document) <= INLINE_BYTES:
            return {"result": plain}
        key = f"orchestrations/{context.orchestration_id}/results/{context.index:08d}.json"
        self._payloads.put(key, document)
        return {"result_ref": PayloadRef(key=key)}


def errored(
    context: JobContext, params: Params, error: JobError, log: str, started_at: datetime | None = None
) -> JobErrored:
    """Return the event of an instance that gave up, with the params that caused it."""
    return JobErrored(
        orchestration_id=context.orchestration_id,
        at=datetime.now(UTC),
        index=context.index,
        attempts=context.attempt,
        started_at=started_at,
        job_name=context.job_name,
        error=error,
        log=log,
        **params.as_fields(),
    )


def job_error(error: BaseException) -> JobError:
    """Return *error* as it is stored: its type, message and traceback, each bounded."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    lines = traceback.format_exception(kind, error, _from_the_job_on(error.__traceback__))
    return JobError(
        type=name,
        message=bounded(str(error), _MESSAGE_CHARACTERS),
        traceback=bounded("".join(lines), _TRACEBACK_CHARACTERS),
    )


def _from_the_job_on(trace: TracebackType | None) -> TracebackType | None:
    """Return the part of *trace* below our own frames; all of it where the error is ours."""
    ours: Callable[[TracebackType], bool] = lambda part: part.tb_frame.f_globals.get(  # noqa: E731
        "__name__", ""
    ).startswith("background_jobs.")
    part = trace
    while part is not None and ours(part):
        part = part.tb_next
    return part or trace
