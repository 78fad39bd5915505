"""The inputs of the function that kicks off jobs: the stack writes them, and the function reads them."""

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from background_jobs.core.completion import JobCompletedEvent
from background_jobs.core.schedules.definition import Due
from background_jobs.core.stages import Stage


class _RuleInput(BaseModel):
    """The input that a rule of the stack makes from the event that it matches."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def to_input(self) -> dict[str, Any]:
        """Return the input as JSON, for the target of the rule; a field may be a token of the CDK."""
        return self.model_dump(mode="json", exclude_none=True)


class ScheduleRunCompleted(_RuleInput):
    """A run of a schedule completed, so that an occurrence in its queue may start.

    >>> ScheduleRunCompleted(schedule="nightly").to_input()
    {'type': 'ScheduleRunCompleted', 'schedule': 'nightly'}
    """

    type: Literal["ScheduleRunCompleted"] = "ScheduleRunCompleted"
    schedule: str


class StartStage(_RuleInput):
    """A rule starts a stage after an orchestration whose kick-off did not name a next stage."""

    type: Literal["StartStage"] = "StartStage"
    orchestration_id: str
    rule: str
    """The name of the rule, so that an event that comes twice starts one orchestration."""
    stage: Stage


class JobCompletedDelivery(BaseModel):
    """A JobCompletedEvent as EventBridge delivers it to a target without an input of its own."""

    model_config = ConfigDict(frozen=True)

    source: Literal["background-jobs"]
    detail_type: Literal["JobCompletedEvent"] = Field(alias="detail-type")
    detail: JobCompletedEvent


Invocation = Due | ScheduleRunCompleted | StartStage | JobCompletedDelivery
"""An occurrence from Scheduler, an input of one of our rules, or an event of the bus."""

INVOCATION: Final[TypeAdapter[Invocation]] = TypeAdapter(Invocation)
