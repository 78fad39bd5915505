"""A clock that tests move, a schedule, and the delivery of its occurrences."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from background_jobs.aws import clients
from background_jobs.core.schedules.definition import Due
from background_jobs.orchestration_service.schedule import Schedule
from background_jobs.orchestration_service.schedules import Schedules
from background_jobs.settings import Settings

crash_when = pytest.mark.parametrize("when", ["before", "after"])


class Clock:
    """A clock that stands still until it is moved; ahead of the real one, so that nothing has passed."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=2)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **span: float) -> datetime:
        self.now += timedelta(**span)
        return self.now


def hourly(schedules: Schedules, **options: Any) -> Schedule:
    every_hour: Any = {"cron": "0 * * * *"} | options
    return schedules.define("hourly", "halve", [{"n": 2}], every_hour)


def stored() -> dict[str, Any]:
    (schedule,) = clients.scheduler().list_schedules()["Schedules"]
    return dict(clients.scheduler().get_schedule(Name=schedule["Name"], GroupName=schedule["GroupName"]))


def delivered(schedules: Schedules, at: datetime) -> Any:
    """Deliver an occurrence as Scheduler does: by the input that was stored with it."""
    occurrence = stored()["Target"]["Input"].replace(
        "<aws.scheduler.scheduled-time>", f"{at:%Y-%m-%dT%H:%M:%SZ}"
    )
    return schedules.occurrence_runner.run_due(Due.model_validate_json(occurrence))


def states(schedule: Schedule) -> list[tuple[int, str]]:
    """The hours and states of the runs, newest first."""
    return [(run.scheduled_at.hour, str(run.state)) for run in schedule.runs()]


def written(settings: Settings) -> list[int]:
    """How many events, payloads and schedules there are."""
    return [
        clients.dynamodb().scan(TableName=settings.event_log_table)["Count"],
        clients.s3().list_objects_v2(Bucket=settings.payload_bucket)["KeyCount"],
        len(clients.scheduler().list_schedules()["Schedules"]),
    ]
