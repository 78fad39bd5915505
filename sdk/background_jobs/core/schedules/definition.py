"""The definition of a schedule: a job, when it is due, and what happens while a run is in progress."""

import json
import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from background_jobs.core.bounds import ServiceName
from background_jobs.core.options import OccurrenceOptions
from background_jobs.core.refused_values import explain_problem
from background_jobs.core.schedules.timing import Timing
from background_jobs.core.tags import SCHEDULE_TAG, SCHEDULED_AT_TAG

LONGEST_JITTER: Final = timedelta(days=1)
SCHEDULED_TIME: Final = "<aws.scheduler.scheduled-time>"
"""Scheduler replaces this by the time of the occurrence."""
_RETRY_SECONDS: Final = 3_600
"""How long Scheduler tries to reach the function; an occurrence that comes later is of little use."""

SCHEDULE_NAME: Final = r"^[0-9a-zA-Z_-][0-9a-zA-Z_.-]{0,63}$"
"""Scheduler's own rule, without a dot at the beginning, so that every name can be a part of a path."""
ScheduleName = Annotated[str, Field(pattern=SCHEDULE_NAME)]


class Overlap(StrEnum):
    """The ways to treat an occurrence while a run of the same schedule is still in progress."""

    SKIP = "skip"
    QUEUE = "queue"
    ALLOW = "allow"


class ScheduleDefinition(OccurrenceOptions):
    """Everything about a schedule; Scheduler hands it over with every occurrence.

    A run of the schedule is in progress until the stages that follow it have ended, too.
    """

    # A release reads the schedules of later releases, too, without the fields that it does not know.
    model_config = ConfigDict(extra="ignore")

    schema_version: Literal[1] = 1
    name: ScheduleName
    job_name: str
    service: ServiceName
    timing: Timing
    overlap: Overlap = Overlap.SKIP
    jitter: timedelta = timedelta()
    """How long after its time an occurrence may come, at most; Scheduler picks the moment."""
    params: tuple[dict[str, Any], ...] = ()
    """One job instance for each; empty if they are in the object *params_key*."""
    params_key: str = ""
    """The object of params that are too large for Scheduler's input, one JSON object a line."""
    declared: bool = False
    """Whether the stack declares it; then it can be changed only there."""

    @field_validator("jitter")
    @classmethod
    def _check_jitter(cls, jitter: timedelta) -> timedelta:
        if jitter % timedelta(minutes=1) or not timedelta() <= jitter <= LONGEST_JITTER:
            raise ValueError(f"jitter={jitter} cannot be: use whole minutes, up to a day")
        return jitter

    @field_validator("tags")
    @classmethod
    def _check_tags(cls, tags: dict[str, str]) -> dict[str, str]:
        if ours := {SCHEDULE_TAG, SCHEDULED_AT_TAG} & tags.keys():
            raise ValueError(f"the tag {min(ours)!r} is set by the schedule itself")
        return tags

    def description(self) -> str:
        """Return the schedule in a few words.

        >>> ScheduleDefinition(
        ...     name="nightly", job_name="report", service="default",
        ...     timing=Timing(cron="0 3 * * *", timezone="Europe/Berlin"),
        ... ).description()
        'report, cron(0 3 * * ? *), Europe/Berlin'
        """
        zone = f", {self.timing.timezone}" if self.timing.cron else ""
        return f"{self.job_name}, {self.timing.expression}{zone}"


class Due(BaseModel):
    """An occurrence of a schedule, as Scheduler hands it to the function."""

    definition: ScheduleDefinition
    scheduled_at: AwareDatetime


class Target(NamedTuple):
    """The ARNs of the function that Scheduler invokes, of its role for that, and of the queue of failures."""

    function: str
    role: str
    failures: str


def scheduler_properties(definition: ScheduleDefinition, group: str, target: Target) -> dict[str, Any]:
    """Return a schedule as EventBridge Scheduler and CloudFormation spell it, but for its window."""
    minutes = definition.jitter // timedelta(minutes=1)
    window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": minutes} if minutes else {"Mode": "OFF"}
    return {
        "Name": definition.name,
        "GroupName": group,
        "Description": definition.description(),
        "ScheduleExpression": definition.timing.expression,
        "ScheduleExpressionTimezone": definition.timing.timezone,
        "FlexibleTimeWindow": window,
        "Target": {
            "Arn": target.function,
            "RoleArn": target.role,
            "Input": _input(definition),
            "RetryPolicy": {"MaximumEventAgeInSeconds": _RETRY_SECONDS, "MaximumRetryAttempts": 185},
            "DeadLetterConfig": {"Arn": target.failures},
        },
    }


def is_schedule_name(text: str) -> bool:
    """Tell whether a schedule can have this name.

    >>> is_schedule_name("nightly report")
    False
    """
    return re.fullmatch(SCHEDULE_NAME, text) is not None


def parse_schedule_input(schedule_input: str) -> ScheduleDefinition | None:
    """Return the definition in the input of a target; None if another program made the schedule."""
    try:
        return ScheduleDefinition.model_validate(json.loads(schedule_input)["definition"])
    except (ValueError, KeyError, TypeError):
        return None


def explain_invalid(invalid: ValidationError) -> str:
    """Return in one sentence why a definition was refused."""
    error: dict[str, Any] = {**invalid.errors(include_url=False)[0]}
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    return explain_problem(error | {"loc": tuple(part for part in error["loc"] if part != "timing")})


def _input(definition: ScheduleDefinition) -> str:
    # Scheduler replaces its keywords wherever they are; texts in params that look like one must stay.
    document = definition.model_dump_json(exclude_defaults=True).replace("<", "\\u003c")
    return f'{{"definition":{document},"scheduled_at":"{SCHEDULED_TIME}"}}'


def schedule_group(environment: str) -> str:
    """Return the group of EventBridge Scheduler that holds the schedules of *environment*.

    >>> schedule_group("prod")
    'background-jobs-prod'
    """
    return f"background-jobs-{environment}"
