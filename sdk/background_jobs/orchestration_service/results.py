"""Collecting outcomes: the log says how each instance ended, the bucket has the params."""

import json
from typing import Any

from background_jobs.aws.payloads import Payloads
from background_jobs.aws.rooms import Rooms
from background_jobs.core.events import JobCompleted, JobOutcome, PayloadRef
from background_jobs.core.outcomes import Failure, JobResults, Success


def collect(orchestration_id: str, rooms: Rooms) -> JobResults:
    """Return the outcomes that the log holds now, in the order of the params.

    Raises OrchestrationNotFound, or PayloadNotFound once the params have expired.
    """
    started = rooms.event_log.started(orchestration_id)
    successes: list[Success] = []
    failures: list[Failure] = []
    if started.total:
        lines = enumerate(rooms.payloads.lines(started.params_key))
        for event in rooms.event_log.outcomes(orchestration_id, 0, started.total - 1):
            params = json.loads(next(line for index, line in lines if index == event.index))
            common = _common(event, started.job_name, params)
            if isinstance(event, JobCompleted):
                result = (
                    event.result if event.result_ref is None else _fetched(event.result_ref, rooms.payloads)
                )
                successes.append(Success(**common, result=result))
            else:
                failures.append(
                    Failure(**common, error=event.error, failed_attempts=event.failed_attempts, log=event.log)
                )
    return JobResults(successes, failures or None)


def _common(event: JobOutcome, job_name: str, params: dict[str, Any]) -> dict[str, Any]:
    return {
        "orchestration_id": event.orchestration_id,
        "job_name": job_name,
        "job_id": event.job_id,
        "index": event.index,
        "params": params,
        "attempts": event.attempts,
        "started_at": event.started_at,
        "ended_at": event.at,
    }


def _fetched(reference: PayloadRef, payloads: Payloads) -> Any:  # noqa: ANN401 -- any JSON
    return json.loads(payloads.get(reference.key, reference.bytes))
