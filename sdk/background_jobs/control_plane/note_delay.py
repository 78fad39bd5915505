"""Launches that AWS refuses for now: noted in the log, and tried again after a while."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, Field, TypeAdapter

from background_jobs.aws.stores import Stores
from background_jobs.control_plane.close_unfinished import TaskError
from background_jobs.core.containers.delays import DELAYS, MOST_DELAYS, delay_reason
from background_jobs.core.containers.variables import JOB_SHARE, ORCHESTRATION_ID
from background_jobs.core.errors import BackgroundJobsError, EventConflict
from background_jobs.core.events import ShareDelayed
from background_jobs.core.retry import retry_delay


class LaunchGivenUp(BackgroundJobsError):
    """A share could not be launched for so long that it is closed instead."""

    def __init__(self, orchestration_id: str, share: int) -> None:
        self.orchestration_id, self.share = orchestration_id, share
        super().__init__(
            f"Share {share} of {orchestration_id} was delayed {MOST_DELAYS} times; it is given up."
        )


class DelayReport(BaseModel):
    """A launch that was refused, as the state machine reports it."""

    orchestration_id: str
    share: int
    error: TaskError

    @classmethod
    def from_task(cls, detail: Mapping[str, Any]) -> "DelayReport | None":
        """Report a task that could not start, as ECS describes it; None if it is none of ours."""
        variables = {
            variable["name"]: variable.get("value")
            for override in detail.get("overrides", {}).get("containerOverrides", [])
            for variable in override.get("environment", [])
        }
        if not {ORCHESTRATION_ID, JOB_SHARE} <= variables.keys():
            return None
        error = TaskError(Error=detail.get("stopCode", ""), Cause=detail.get("stoppedReason", ""))
        return cls(
            orchestration_id=variables[ORCHESTRATION_ID],
            share=variables[JOB_SHARE],
            error=error,
        )


class TaskStateChange(BaseModel):
    """A task that could not start, as EventBridge delivers it from ECS."""

    detail_type: Literal["ECS Task State Change"] = Field(alias="detail-type")
    detail: dict[str, Any]


_INVOCATION: Final[TypeAdapter[DelayReport | TaskStateChange]] = TypeAdapter(DelayReport | TaskStateChange)


def parse_delay(event: Mapping[str, Any]) -> DelayReport | None:
    """Return what the state machine or ECS reports; None if it is of a task that is none of ours.

    Raises pydantic.ValidationError if *event* is from neither.
    """
    match _INVOCATION.validate_python(event):
        case TaskStateChange(detail=detail):
            return DelayReport.from_task(detail)
        case DelayReport() as report:
            return report


def note_delay(report: DelayReport, stores: Stores, now: datetime, *, draw: float) -> int:
    """Append why a share cannot be launched, and return after how many seconds to try again.

    *draw* is uniform in [0, 1). Raises LaunchGivenUp once that happened too often.
    """
    number = len(stores.event_log.read_delays(report.orchestration_id, report.share))
    if number >= MOST_DELAYS:
        raise LaunchGivenUp(report.orchestration_id, report.share)
    cause = f"{report.error.error}: {report.error.cause}"
    event = ShareDelayed(
        orchestration_id=report.orchestration_id,
        at=now,
        share=report.share,
        number=number,
        reason=delay_reason(cause),
        detail=cause,
    )
    with suppress(EventConflict):  # the same report came twice at once
        stores.event_log.append(event)
    return round(1 + retry_delay(number + 1, DELAYS, draw=draw))
