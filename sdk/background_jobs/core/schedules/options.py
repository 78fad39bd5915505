"""The options of a schedule: when it is due, and those of each occurrence."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from background_jobs.core.options import OccurrenceKeywords, OccurrenceOptions
from background_jobs.core.schedules.definition import Overlap
from background_jobs.core.schedules.timing import Minute


class ScheduleOptions(OccurrenceOptions):
    """The options of `schedule_job`; `Timing` says which of them go together."""

    cron: str | None = Field(
        default=None, description="Five fields as in Unix (0 3 * * *), or the six of EventBridge Scheduler."
    )
    every: timedelta | None = Field(default=None, description="So often, in whole minutes.")
    at: Minute | None = Field(default=None, description="Once, at a moment with a time zone.")
    timezone: str = Field(default="UTC", description="The zone of cron, by its IANA name.")
    start: Minute | None = Field(
        default=None, description="Not before then; every counts from it, by default from the next minute on."
    )
    end: Minute | None = Field(default=None, description="Only before then.")
    overlap: Overlap = Field(
        default=Overlap.SKIP, description="What happens while the run before is still in progress."
    )
    jitter: timedelta = Field(
        default=timedelta(),
        description="How long after its time an occurrence may come, at most, in whole minutes.",
    )


class ScheduleKeywords(OccurrenceKeywords, total=False):
    """The keywords of `OrchestrationService.schedule_job`; docs/schedules.md says what each means."""

    cron: str | None
    every: timedelta | None
    at: datetime | None
    timezone: str | None
    start: datetime | None
    end: datetime | None
    overlap: Literal["skip", "queue", "allow"] | Overlap
    jitter: timedelta


TIMING_OPTIONS: Iterable[str] = ("cron", "every", "at", "timezone", "start", "end")
"""The options that `Timing` is made of."""
