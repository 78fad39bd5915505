"""The decision that an orchestration has completed, and the event that is published then."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal, Self

from pydantic import AwareDatetime, ValidationError

from background_jobs.core import ids
from background_jobs.core.bus import EVENT_SOURCE, JOB_COMPLETED_DETAIL_TYPE
from background_jobs.core.errors import NotAJobCompletedEvent
from background_jobs.core.events import OrchestrationCompleted
from background_jobs.core.lineage import Lineage
from background_jobs.core.read_model import Summary


def decide_completion(summary: Summary) -> OrchestrationCompleted | None:
    """Return the event that completes the orchestration, or None while an instance has no outcome.

    The event follows from the log alone. Where a cancellation comes at the very end, the aggregator that
    appends first decides whether it still counts.
    """
    if summary.started_at is None or summary.total is None or not summary.all_final:
        return None
    return OrchestrationCompleted(
        orchestration_id=summary.orchestration_id,
        at=summary.last_outcome_at or summary.started_at,
        job_name=summary.job_name,
        service=summary.service,
        total=summary.total,
        completed=summary.completed,
        errored=summary.errored,
        cancelled=summary.cancelled_at is not None,
        started_at=summary.started_at,
        tags=summary.tags,
        **summary.lineage(),
    )


OrchestrationOutcome = Literal["Completed", "Errored", "Cancelled"]
"""How an orchestration ended."""


class JobCompletedEvent(Lineage):
    """The detail of the event on the bus when an orchestration completes.

    It may arrive more than once, always with the same *event_id*, by which consumers drop duplicates.
    """

    event_id: str
    schema_version: int = 1
    orchestration_id: str
    job_name: str
    service: str
    outcome: OrchestrationOutcome
    """``Completed`` when every instance completed, ``Cancelled`` when it was cancelled, else ``Errored``."""
    total: int
    completed: int
    errored: int
    started_at: AwareDatetime
    completed_at: AwareDatetime
    tags: dict[str, str]
    """The tags that the caller gave, such as customer identifiers."""

    @property
    def duration(self) -> timedelta:
        """Return how long it took, from the kick-off to the last outcome."""
        return self.completed_at - self.started_at

    @classmethod
    def from_eventbridge(cls, event: Mapping[str, Any]) -> Self:
        """Read the event that EventBridge delivers to a Lambda function or to a queue.

        Raises NotAJobCompletedEvent if it is an event of another type.
        """
        if (event.get("source"), event.get("detail-type")) != (EVENT_SOURCE, JOB_COMPLETED_DETAIL_TYPE):
            raise NotAJobCompletedEvent(event)
        try:
            return cls.model_validate(event["detail"])
        except (KeyError, ValidationError) as unreadable:
            raise NotAJobCompletedEvent(event) from unreadable

    @classmethod
    def pattern(
        cls,
        *,
        job_name: str | None = None,
        outcome: OrchestrationOutcome | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Return the event pattern of a rule that matches these events: by default all of them.

        >>> JobCompletedEvent.pattern(job_name="extract")["detail"]
        {'job_name': ['extract']}
        """
        detail: dict[str, Any] = {}
        if job_name is not None:
            detail["job_name"] = [job_name]
        if outcome is not None:
            detail["outcome"] = [outcome]
        if tags:
            detail["tags"] = {name: [value] for name, value in tags.items()}
        whole = {"source": [EVENT_SOURCE], "detail-type": [JOB_COMPLETED_DETAIL_TYPE]}
        return whole | ({"detail": detail} if detail else {})

    @classmethod
    def from_completion(cls, event: OrchestrationCompleted) -> Self:
        """Return the event that is published for *event*."""
        return cls(
            event_id=ids.completion_event_id(event.service, event.orchestration_id),
            orchestration_id=event.orchestration_id,
            job_name=event.job_name,
            service=event.service,
            outcome=_decide_outcome(event),
            total=event.total,
            completed=event.completed,
            errored=event.errored,
            started_at=event.started_at,
            completed_at=event.at,
            tags=event.tags,
            **event.lineage(),
        )


def _decide_outcome(event: OrchestrationCompleted) -> OrchestrationOutcome:
    if event.cancelled and event.errored:
        return "Cancelled"
    return "Errored" if event.errored else "Completed"
