"""Launches that AWS refuses for now: said in the log, and tried again after a while."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel

from background_jobs.aws.stores import Stores
from background_jobs.control_plane.close_unfinished import TaskError
from background_jobs.core.containers.delays import DELAYS, MOST_DELAYS, delay_reason
from background_jobs.core.containers.variables import JOB_SHARE, ORCHESTRATION_ID
from background_jobs.core.errors import BackgroundJobsError, EventConflict
from background_jobs.core.events import ShareDelayed
from background_jobs.core.payloads import bounded
from background_jobs.core.retry import retry_delay

_LONGEST_DETAIL: Final = 500


class LaunchGivenUp(BackgroundJobsError):
    """A share could not be launched for so long that it is closed instead."""

    def __init__(self, orchestration_id: str, share: int) -> None:
        self.orchestration_id, self.share = orchestration_id, share
        super().__init__(
            f"Share {share} of {orchestration_id} was delayed {MOST_DELAYS} times; it is given up."
        )


class DelayReport(BaseModel):
    """What the state machine says of a launch that was refused."""

    orchestration_id: str
    share: int
    error: TaskError

    @classmethod
    def of_task(cls, detail: Mapping[str, Any]) -> "DelayReport | None":
        """Read it off a task that could not start, as ECS tells EventBridge; None if it is none of ours."""
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


def note_delay(report: DelayReport, stores: Stores, now: datetime, *, draw: float) -> int:
    """Append what keeps a share from running, and return after how many seconds it is to be tried again.

    *draw* is uniform in [0, 1). Raises LaunchGivenUp once that happened too often.
    """
    delays = stores.event_log.read_containers(report.orchestration_id).delays
    number = sum(delay.share == report.share for delay in delays)
    if number >= MOST_DELAYS:
        raise LaunchGivenUp(report.orchestration_id, report.share)
    said = f"{report.error.error}: {report.error.cause}"
    event = ShareDelayed(
        orchestration_id=report.orchestration_id,
        at=now,
        share=report.share,
        number=number,
        reason=delay_reason(said),
        detail=bounded(said, _LONGEST_DETAIL),
    )
    with suppress(EventConflict):  # the same one, told twice at once
        stores.event_log.append(event)
    return round(1 + retry_delay(number + 1, DELAYS, draw=draw))
