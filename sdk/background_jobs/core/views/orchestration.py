"""How an orchestration stands, and what the service answers to requests that change one."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from background_jobs.core.lineage import Lineage
from background_jobs.core.progress import eta_seconds
from background_jobs.core.read_model import Summary
from background_jobs.core.statuses import OrchestrationStatus
from background_jobs.core.views.page import Page
from background_jobs.core.views.standstill import Standstill, find_standstill


class Counts(BaseModel):
    """How many instances are in which state; they add up to the total."""

    model_config = ConfigDict(frozen=True)

    waiting: int
    running: int
    completed: int
    errored: int


class OrchestrationView(Lineage):
    """How an orchestration stands at one moment."""

    orchestration_id: str
    version: int = Field(description="Rises with every change; the id of stream events.")
    job_name: str
    service: str
    status: OrchestrationStatus
    cancelled: bool
    total: int
    counts: Counts
    tags: dict[str, str]
    next_skipped: str | None = Field(
        description="Why the stage that was to follow was not started; null unless that is so."
    )
    started_at: AwareDatetime | None
    started_by: str = Field(
        default="", description="Who kicked it off; empty where that is not known, as for a schedule."
    )
    first_job_at: AwareDatetime | None
    last_outcome_at: AwareDatetime | None
    cancelled_at: AwareDatetime | None
    cancelled_by: str = Field(default="", description="Who cancelled it; the same.")
    completed_at: AwareDatetime | None
    eta_seconds: float | None = Field(
        description="What the rest takes at the rate so far; null if unknown, and while nothing moves."
    )
    standstill: Standstill | None = Field(
        default=None, description="That nothing has moved for minutes; null unless that is so."
    )
    waits_for: str | None = Field(
        default=None,
        description="What keeps shares from being launched, such as a quota; null where nothing is known to, "
        "and in the events of a stream.",
    )
    pipeline_status: OrchestrationStatus | None = Field(
        default=None,
        description="The status of all stages of its pipeline together; null where it is in none, and in the "
        "events of a stream.",
    )

    @classmethod
    def of(
        cls,
        summary: Summary,
        now: datetime,
        *,
        waits_for: str | None = None,
        pipeline_status: OrchestrationStatus | None = None,
    ) -> Self:
        """Return the view of *summary* at the moment *now*, from which the remaining time is estimated."""
        standstill = find_standstill(summary, now, waits_for)
        return cls(
            **{name: getattr(summary, name) for name in _COPIED},
            **summary.lineage(),
            cancelled=summary.cancelled_at is not None,
            total=summary.total or 0,
            counts=Counts(
                waiting=summary.waiting,
                running=summary.running,
                completed=summary.completed,
                errored=summary.errored,
            ),
            eta_seconds=None if standstill else _eta(summary, now),
            standstill=standstill,
            waits_for=waits_for,
            pipeline_status=pipeline_status,
        )


_COPIED: Final = (
    "orchestration_id",
    "version",
    "job_name",
    "service",
    "status",
    "tags",
    "next_skipped",
    "started_at",
    "started_by",
    "first_job_at",
    "last_outcome_at",
    "cancelled_at",
    "cancelled_by",
    "completed_at",
)


class OrchestrationPage(Page[OrchestrationView]):
    """A page of orchestrations, newest first."""


class OrchestrationCounts(BaseModel):
    """How many orchestrations need a look; one that stands still or waits is in progress as well."""

    in_progress: int
    standing_still: int
    waiting_for_launch: int = Field(
        description="Those of which shares wait for a quota, capacity or the like."
    )
    errored: int = Field(description="Those kicked off within the last 24 hours.")
    truncated: bool = Field(description="Whether there are more than were counted.")

    @classmethod
    def of(cls, in_progress: Sequence[OrchestrationView], errored: int, *, truncated: bool) -> Self:
        """Count the views *in_progress*."""
        return cls(
            in_progress=len(in_progress),
            standing_still=sum(view.standstill is not None for view in in_progress),
            waiting_for_launch=sum(view.waits_for is not None for view in in_progress),
            errored=errored,
            truncated=truncated,
        )


class KickOffAnswer(BaseModel):
    """The orchestration that a kick-off or a rerun started."""

    orchestration_id: str
    job_name: str


class Cancellation(StrEnum):
    """The state in which a cancellation found the orchestration."""

    REQUESTED = "requested"
    ALREADY_CANCELLED = "already cancelled"
    ALREADY_DONE = "already done"


class CancelAnswer(BaseModel):
    """The answer to a request to cancel."""

    found: Cancellation


def _eta(summary: Summary, now: datetime) -> float | None:
    if summary.first_job_at is None or summary.total is None or summary.all_final:
        return None
    running_for = max(0.0, (now - summary.first_job_at).total_seconds())
    return eta_seconds(summary.completed + summary.errored, summary.total, running_for)
