"""EventBridge Scheduler in memory: the schedules of one group, each due in virtual time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from background_jobs.core.schedules.definition import SCHEDULED_TIME, parse_schedule_input
from background_jobs.core.schedules.timing import Timing
from background_jobs.testing.client import MemoryClient, Paginator
from background_jobs.testing.deliveries import Deliveries
from background_jobs.testing.faults import Faults
from background_jobs.testing.refusals import Exceptions
from background_jobs.testing.virtual_time import Planned, VirtualTime

_MINUTE = timedelta(minutes=1)


@dataclass(slots=True)
class _Schedule:
    properties: dict[str, Any]
    timing: Timing
    planned: Planned | None = field(default=None)


class MemoryScheduler(MemoryClient):
    """The schedules of the environment; *invoke* is called with the input of each occurrence."""

    service = "scheduler"
    exceptions = Exceptions("ConflictException", "ResourceNotFoundException", "ValidationException")

    def __init__(
        self,
        time: VirtualTime,
        faults: Faults,
        deliveries: Deliveries,
        invoke: Callable[[str], None],
    ) -> None:
        super().__init__(time, faults)
        self._deliveries = deliveries
        self._invoke = invoke
        self._schedules: dict[str, _Schedule] = {}

    def create_schedule(self, **properties: Any) -> dict[str, Any]:  # noqa: ANN401 -- the arguments of boto3
        """Make a schedule."""
        self._request("CreateSchedule")
        name = properties["Name"]
        if name in self._schedules:
            raise self.exceptions.make(
                "ConflictException", "CreateSchedule", f"Schedule {name} already exists."
            )
        self._set(properties)
        return {"ScheduleArn": f"arn:aws:scheduler:::schedule/{name}"}

    def update_schedule(self, **properties: Any) -> dict[str, Any]:  # noqa: ANN401 -- the same
        """Make a schedule anew."""
        self._request("UpdateSchedule")
        name = properties["Name"]
        self._drop(self._find(name, "UpdateSchedule"))
        self._set(properties)
        return {"ScheduleArn": f"arn:aws:scheduler:::schedule/{name}"}

    def get_schedule(self, *, Name: str, GroupName: str) -> dict[str, Any]:  # noqa: N803 -- the same
        """Return a schedule."""
        del GroupName
        self._request("GetSchedule")
        return dict(self._find(Name, "GetSchedule").properties)

    def delete_schedule(self, *, Name: str, GroupName: str) -> dict[str, Any]:  # noqa: N803 -- the same
        """Remove a schedule."""
        del GroupName
        self._request("DeleteSchedule")
        self._drop(self._find(Name, "DeleteSchedule"))
        del self._schedules[Name]
        return {}

    def get_paginator(self, operation: str) -> "MemoryScheduler":
        """Return what pages through the schedules."""
        if operation != "list_schedules":
            raise NotImplementedError(f"The twin has no paginator for {operation}.")
        return self

    def paginate(self, *, GroupName: str) -> Paginator:  # noqa: N803 -- the same
        """Return the pages of all schedules."""
        del GroupName
        self._request("ListSchedules")
        return Paginator([{"Schedules": [{"Name": name} for name in sorted(self._schedules)]}])

    def _find(self, name: str, operation: str) -> _Schedule:
        if name not in self._schedules:
            raise self.exceptions.make(
                "ResourceNotFoundException", operation, f"Schedule {name} does not exist."
            )
        return self._schedules[name]

    def _drop(self, schedule: _Schedule) -> None:
        if schedule.planned:
            self._time.drop(schedule.planned)

    def _set(self, properties: Mapping[str, Any]) -> None:
        now = self._time.now()
        definition = parse_schedule_input(properties["Target"]["Input"])
        if definition is None:
            raise NotImplementedError("The twin knows schedules of this package alone.")
        window = {
            name: properties[key]
            for name, key in (("start", "StartDate"), ("end", "EndDate"))
            if key in properties
        }
        timing = Timing.model_validate(definition.timing.model_dump() | window)
        schedule = _Schedule({**properties, "LastModificationDate": now}, timing)
        self._schedules[properties["Name"]] = schedule
        self._plan(schedule, now)

    def _plan(self, schedule: _Schedule, after: datetime) -> None:
        """Plan the next occurrence after a moment; a schedule that is over may be removed by itself."""
        at = next(schedule.timing.after(after), None)
        if at is None:
            if schedule.properties.get("ActionAfterCompletion") == "DELETE":
                self._schedules.pop(schedule.properties["Name"], None)
        elif schedule.properties["State"] == "ENABLED":
            wait = (at - self._time.now()).total_seconds()
            schedule.planned = self._time.plan(wait, partial(self._occur, schedule, at), is_work=False)

    def _occur(self, schedule: _Schedule, at: datetime) -> None:
        due = schedule.properties["Target"]["Input"].replace(SCHEDULED_TIME, f"{at:%Y-%m-%dT%H:%M:%SZ}")
        self._deliveries.deliver(partial(self._invoke, due))
        self._plan(schedule, at)
