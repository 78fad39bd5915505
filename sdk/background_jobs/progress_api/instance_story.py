"""The story of one job instance: what the log says of it, in order, with its params and what came of them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from background_jobs.aws.stores import Stores
from background_jobs.core.events import (
    ContainerStarted,
    JobAttemptFailed,
    JobCompleted,
    JobErrored,
    JobEvent,
    JobProgressed,
    JobStarted,
    OrchestrationStarted,
)
from background_jobs.core.outcomes import Failure, Success
from background_jobs.orchestration_service.results import outcome_from_event, read_params
from background_jobs.progress_api.models import Instance, InstanceDetail, InstanceEvent


def story_of(started: OrchestrationStarted, index: int, stores: Stores) -> InstanceDetail:
    """Return all that is known of instance *index*, which must exist.

    Raises PayloadNotFound once its params or its result have expired.
    """
    orchestration_id = started.orchestration_id
    rank = stores.read_model.read_snapshot(orchestration_id).rank(index)
    params = read_params(started, index, index, stores.payloads)[index]
    happened = list(stores.event_log.read_instance(orchestration_id, index))
    outcomes = [event for event in happened if isinstance(event, JobCompleted | JobErrored)]
    ended = [outcome_from_event(event, started.job_name, params, stores.payloads) for event in outcomes]
    return InstanceDetail(
        instance=Instance.of(orchestration_id, index, rank),
        params=params,
        result=next((one.result for one in ended if isinstance(one, Success)), None),
        error=next((one.error for one in ended if isinstance(one, Failure)), None),
        log=_log_of(stores.event_log.read_launches(orchestration_id), index),
        events=[InstanceEvent(at=e.at, type=e.type, **_detail(e)) for e in sorted(happened, key=_when)],
    )


def _when(event: JobEvent) -> datetime:
    return event.at


def _log_of(launches: Iterable[ContainerStarted], index: int) -> str:
    logs = [one.log for one in launches if one.first <= index <= one.last]
    return logs[-1] if logs else ""


def _detail(event: JobEvent) -> dict[str, Any]:
    match event:
        case JobStarted():
            return {"attempt": event.attempt}
        case JobAttemptFailed():
            return {
                "attempt": event.attempt,
                "detail": f"{event.error.type}: {event.error.message}",
                "traceback": event.error.traceback,
                "retry_at": event.retry_at,
            }
        case JobProgressed():
            return {"attempt": event.attempt, "detail": f"{event.percent} % {event.message}".strip()}
        case JobErrored():
            return {
                "attempt": event.attempts,
                "detail": f"{event.error.type}: {event.error.message}",
                "started_at": event.started_at,
            }
        case JobCompleted():
            return {"attempt": event.attempts, "started_at": event.started_at}
