"""EventBridge Scheduler: the schedules of an environment, in a group of their own."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from background_jobs.aws.clients import reaching_aws
from background_jobs.core.errors import InvalidSchedule, ScheduleEnded
from background_jobs.core.schedules.definition import (
    ScheduleDefinition,
    Target,
    parse_schedule_input,
    scheduler_properties,
)
from background_jobs.core.schedules.occurrences import DeployedSchedule

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

_REQUIRED_BY_UPDATES: Final = (
    "ActionAfterCompletion",
    "Description",
    "EndDate",
    "FlexibleTimeWindow",
    "GroupName",
    "Name",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "Target",
)
"""The properties that an update must repeat; Scheduler drops those that it leaves out."""


class Scheduler:
    """The schedules in one group."""

    def __init__(self, scheduler: "EventBridgeSchedulerClient", group: str) -> None:
        self._scheduler = scheduler
        self._group = group

    @reaching_aws
    def put(self, definition: ScheduleDefinition, target: Target, now: datetime, *, paused: bool) -> None:
        """Make a schedule, or make it anew. Raises InvalidSchedule if Scheduler refuses it."""
        timing = definition.timing
        properties = scheduler_properties(definition, self._group, target)
        if timing.at or timing.end:
            # A schedule that is over leaves the list; its history stays in the log.
            properties["ActionAfterCompletion"] = "DELETE"
        if timing.end:
            properties["EndDate"] = timing.end
        state = _state(definition, now, paused=paused)
        try:
            try:
                self._scheduler.create_schedule(**properties, **state)
            except self._scheduler.exceptions.ConflictException:
                self._scheduler.update_schedule(**properties, **state)
        except self._scheduler.exceptions.ValidationException as refused:
            reason = refused.response["Error"]["Message"].rstrip(".")
            raise InvalidSchedule(definition.name, reason) from refused

    @reaching_aws
    def get(self, name: str) -> DeployedSchedule | None:
        """Return a schedule as it is; None if there is none, or none of ours."""
        response = self._get(name)
        definition = parse_schedule_input(response["Target"].get("Input", "")) if response else None
        if response is None or definition is None:
            return None
        return DeployedSchedule(definition, response["State"] == "DISABLED", response["LastModificationDate"])

    @reaching_aws
    def set_paused(self, definition: ScheduleDefinition, now: datetime, *, paused: bool) -> None:
        """Pause or resume a schedule. Raises ScheduleEnded if there is none."""
        response = self._get(definition.name)
        if response is None:
            raise ScheduleEnded(definition.name)
        kept = {name: response[name] for name in _REQUIRED_BY_UPDATES if name in response}
        self._scheduler.update_schedule(**kept, **_state(definition, now, paused=paused))

    @reaching_aws
    def delete(self, name: str) -> None:
        """Delete a schedule; where there is none, that is harmless."""
        try:
            self._scheduler.delete_schedule(Name=name, GroupName=self._group)
        except self._scheduler.exceptions.ResourceNotFoundException:
            return

    @reaching_aws
    def names(self) -> list[str]:
        """Return the names of all schedules, sorted."""
        pages = self._scheduler.get_paginator("list_schedules").paginate(GroupName=self._group)
        return sorted(schedule["Name"] for page in pages for schedule in page["Schedules"])

    def group_state(self) -> str:
        """Return the state of the group: ``ACTIVE``, or ``DELETING``. Raises ClientError."""
        return self._scheduler.get_schedule_group(Name=self._group)["State"]

    def _get(self, name: str) -> Any:  # noqa: ANN401 -- Scheduler's response, or None
        try:
            return self._scheduler.get_schedule(Name=name, GroupName=self._group)
        except self._scheduler.exceptions.ResourceNotFoundException:
            return None


def _state(definition: ScheduleDefinition, now: datetime, *, paused: bool) -> dict[str, Any]:
    """Return whether a schedule is active, and from when on; Scheduler refuses a start that has passed."""
    timing = definition.timing
    state = {"State": "DISABLED" if paused else "ENABLED"}
    if timing.start is None or (timing.cron and timing.start <= now):
        return state
    # An interval counts from its start, so the new start must be one of its multiples.
    next_due = next(timing.after(now), None)
    return state if next_due is None else {**state, "StartDate": next_due}
