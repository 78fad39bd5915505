"""Making events for tests: one orchestration, and every history that it may have."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from background_jobs.core.events import (
    ContainerStarted,
    Event,
    JobAttemptFailed,
    JobCompleted,
    JobError,
    JobErrored,
    JobProgressed,
    JobStarted,
    OrchestrationCancelled,
    OrchestrationStarted,
)

ORCHESTRATION_ID = "0b0e3f3c-1c58-4c0e-9d54-6f3c2d0a7c11"
BEGINNING = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGINNING + timedelta(seconds=seconds)


def started(total: int, **fields: Any) -> OrchestrationStarted:
    return OrchestrationStarted(
        orchestration_id=ORCHESTRATION_ID,
        at=at(0),
        job_name=fields.pop("job_name", "census"),
        service="default",
        total=total,
        parallelism=2,
        params_digest="0" * 64,
        **fields,
    )


def job_started(index: int, attempt: int = 1, *, seconds: float = 1) -> JobStarted:
    return JobStarted(orchestration_id=ORCHESTRATION_ID, at=at(seconds), index=index, attempt=attempt)


def attempt_failed(index: int, attempt: int = 1, *, seconds: float = 2, **fields: Any) -> JobAttemptFailed:
    return JobAttemptFailed(
        orchestration_id=ORCHESTRATION_ID,
        at=at(seconds),
        index=index,
        attempt=attempt,
        error=JobError(type="OSError", message="away"),
        retry_at=at(seconds + 1),
        **fields,
    )


def job_progressed(index: int, *, seconds: float = 1.5, **fields: Any) -> JobProgressed:
    return JobProgressed(
        orchestration_id=ORCHESTRATION_ID,
        at=at(seconds),
        index=index,
        **({"attempt": 1, "percent": 50} | fields),
    )


def cancelled(*, seconds: float = 3) -> OrchestrationCancelled:
    return OrchestrationCancelled(orchestration_id=ORCHESTRATION_ID, at=at(seconds), reason="enough")


def job_completed(index: int, *, seconds: float = 2, **fields: Any) -> JobCompleted:
    return JobCompleted(
        orchestration_id=ORCHESTRATION_ID,
        at=at(seconds),
        index=index,
        attempts=1,
        started_at=at(seconds - 1),
        **fields,
    )


def job_errored(index: int, *, seconds: float = 2, **fields: Any) -> JobErrored:
    return JobErrored(
        orchestration_id=ORCHESTRATION_ID,
        at=at(seconds),
        index=index,
        attempts=1,
        job_name="census",
        error=JobError(type="ValueError", message="no"),
        **({"params": {}} | fields),
    )


def container_started(share: int = 0, launch: int = 0) -> ContainerStarted:
    return ContainerStarted(
        orchestration_id=ORCHESTRATION_ID, at=at(0.5), share=share, launch=launch, first=0, last=9
    )


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """A log, in an order in which it may have been written; not every instance needs to have ended."""
    total = draw(st.sampled_from([1, 2, 5, 40, 1749, 1750, 1751, 4000]))
    events: list[Event] = [started(total), container_started()]
    indices = draw(st.lists(st.integers(0, total - 1), unique=True, max_size=30))
    for place, index in enumerate(indices):
        attempts = draw(st.integers(0, 9))
        for attempt in range(1, attempts + 1):
            events.append(job_started(index, attempt, seconds=place + attempt))
            if attempt < attempts or draw(st.booleans()):
                events.append(attempt_failed(index, attempt, seconds=place + attempt + 0.5))
        ending = draw(st.sampled_from(["completed", "errored", "none"]))
        if ending != "none":
            end = job_completed if ending == "completed" else job_errored
            events.append(end(index, seconds=draw(st.integers(2, 99))))
    if draw(st.booleans()):
        events.append(cancelled())
    return events
