"""A schedule that is deployed and deleted with the stack, checked before synthesis."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from pydantic import ConfigDict, field_validator, model_validator

from background_jobs.cdk.validation import ValidatedConfig
from background_jobs.core.bounds import JobName
from background_jobs.core.options import OccurrenceOptions
from background_jobs.core.payloads import INLINE_BYTES, params_line
from background_jobs.core.schedules.definition import Overlap, ScheduleDefinition, ScheduleName
from background_jobs.core.schedules.timing import Timing


class ScheduleConfig(ValidatedConfig, OccurrenceOptions):
    """A job that the stack kicks off by cron; without a *service*, the first of the stack runs it.

    Schedules by interval, once, or within a window depend on when they are made, and a template on nothing
    but its source: they are made with `OrchestrationService.schedule_job`.
    """

    model_config = ConfigDict(title="schedule")

    name: ScheduleName
    job_name: JobName
    cron: str
    timezone: str = "UTC"
    params: tuple[dict[str, Any], ...] | Path = ({},)
    """One job instance for each; or a file of them, one JSON object a line. Up to 24 KB."""
    overlap: Overlap = Overlap.SKIP
    jitter: timedelta = timedelta()

    @field_validator("params", mode="after")
    @classmethod
    def _are_small(cls, params: tuple[dict[str, Any], ...] | Path) -> tuple[dict[str, Any], ...]:
        if isinstance(params, Path):
            params = tuple(json.loads(line) for line in params.read_text().splitlines())
        size = sum(len(params_line(index, value)) for index, value in enumerate(params))
        if not 0 < size <= INLINE_BYTES:
            raise ValueError(f"params of {size:,} bytes cannot be declared: use 1 to {INLINE_BYTES:,}")
        return params

    @model_validator(mode="after")
    def _is_due_some_time(self) -> Self:
        timing = self.definition("default").timing
        if next(timing.after(datetime.now(UTC)), None) is None:
            when = "never due: no year has such a day" if timing.is_never_due else "not due any more"
            raise ValueError(f"{timing.expression} is {when}")
        return self

    def definition(self, default_service: str) -> ScheduleDefinition:
        """Return the schedule as Scheduler will hand it over."""
        return ScheduleDefinition.model_validate(
            {
                **self.model_dump(exclude={"cron", "timezone"}),
                "service": self.service or default_service,
                "timing": Timing(cron=self.cron, timezone=self.timezone),
                "declared": True,
            }
        )
