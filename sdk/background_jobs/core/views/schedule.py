"""A schedule as it is shown: on the command line, and by the API."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from background_jobs.core.retry import Retry
from background_jobs.core.schedules.definition import Overlap, ScheduleDefinition
from background_jobs.core.stages import walk_stages

SHOWN_PARAMS: Final = 3
"""Of how many instances a schedule shows the params."""


class ScheduleState(StrEnum):
    """Whether a schedule is due some time."""

    ACTIVE = "active"
    PAUSED = "paused"
    OVER = "over"
    """Its time has passed, or it was deleted; its history is still there."""


class ScheduleOccurrences(BaseModel):
    """When a schedule is due within some time."""

    model_config = ConfigDict(frozen=True)

    schedule: str
    job_name: str
    service: str
    due: str
    """As in ScheduleView."""
    timezone: str
    occurrences: tuple[AwareDatetime, ...]
    """The first of them, the earliest first."""
    has_more: bool
    """Whether there are more than those."""


class BackfillPreview(BaseModel):
    """The occurrences of the past that a backfill would run; nothing was started."""

    model_config = ConfigDict(frozen=True)

    schedule: str
    occurrences: tuple[AwareDatetime, ...]
    """The earliest first."""
    ran: int
    """How many others ran, and do not run again."""


class ScheduleView(BaseModel):
    """A schedule: its job, when it is due, and its next occurrences."""

    model_config = ConfigDict(frozen=True)

    name: str
    state: ScheduleState
    job_name: str
    service: str
    due: str
    """The expression of EventBridge Scheduler: ``cron(...)``, ``rate(...)`` or ``at(...)``."""
    timezone: str
    start: AwareDatetime | None
    end: AwareDatetime | None
    overlap: Overlap
    jitter_minutes: int
    parallelism: int | None
    retry: Retry | None
    """Null where the job's own holds."""
    timeout_seconds: float | None
    notify: tuple[str, ...]
    """The channels that hear of the end of each run."""
    instances: int | None
    """How many each run has; null where its params are too large to be shown."""
    first_params: tuple[dict[str, Any], ...]
    """Those of the first three."""
    tags: dict[str, str]
    then: tuple[str, ...]
    """The jobs of the stages that follow."""
    declared: bool
    """Whether the stack declares it, so that it is changed there."""
    next_runs: tuple[AwareDatetime, ...]

    @classmethod
    def of(cls, definition: ScheduleDefinition, state: ScheduleState, next_runs: Sequence[datetime]) -> Self:
        """Return what *definition* shows of itself."""
        timing = definition.timing
        return cls(
            name=definition.name,
            state=state,
            job_name=definition.job_name,
            service=definition.service,
            due=timing.expression,
            timezone=timing.timezone,
            start=timing.start,
            end=timing.end,
            overlap=definition.overlap,
            jitter_minutes=definition.jitter // timedelta(minutes=1),
            parallelism=definition.parallelism,
            retry=definition.retry,
            timeout_seconds=definition.timeout,
            notify=tuple(definition.notify or ()),
            instances=None if definition.params_key else len(definition.params),
            first_params=definition.params[:SHOWN_PARAMS],
            tags=definition.tags,
            then=tuple(stage.job_name for stage in walk_stages(definition.then)),
            declared=definition.declared,
            next_runs=tuple(next_runs),
        )
