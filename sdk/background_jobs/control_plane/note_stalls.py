"""Noting in the log which orchestrations stand still."""

from contextlib import suppress
from datetime import datetime, timedelta

from background_jobs.aws.history import HistoryFilter
from background_jobs.aws.stores import Stores
from background_jobs.core.errors import EventConflict, OrchestrationNotFound, UnreadableEvent
from background_jobs.core.events import OrchestrationStalled
from background_jobs.core.limits import STALL_REASONS
from background_jobs.core.read_model import Summary
from background_jobs.core.statuses import OrchestrationStatus
from background_jobs.orchestration_service.event_history import read_waits


def note_stalls(stores: Stores, now: datetime, allowed: timedelta) -> list[Summary]:
    """Append OrchestrationStalled for each orchestration in which nothing moved for *allowed*; return them.

    A standstill is noted once, however often this is called; the event's own record in the stream is what
    publishes it.
    """
    in_progress = stores.history.all(HistoryFilter(status=OrchestrationStatus.IN_PROGRESS, until=now))
    stalled = [summary for summary in in_progress if now - _moved_at(summary, now) > allowed]
    for summary in stalled:
        of_service = stores.for_service(summary.service)
        event = OrchestrationStalled(
            orchestration_id=summary.orchestration_id,
            at=now,
            job_name=summary.job_name,
            moved_at=_moved_at(summary, now),
            tags=summary.tags,
            reasons=_read_reasons(summary.orchestration_id, of_service),
        )
        with suppress(EventConflict):
            of_service.event_log.append(event)
    return stalled


def _read_reasons(orchestration_id: str, stores: Stores) -> list[str]:
    """Return why instances wait, or why that cannot be known: it must not keep others from being noted.

    The kick-off expires before the read model, in which each commit begins the retention anew.
    """
    try:
        return [str(wait) for wait in read_waits(orchestration_id, stores)[:STALL_REASONS]]
    except (OrchestrationNotFound, UnreadableEvent) as unknown:
        return [str(unknown)]


def _moved_at(summary: Summary, now: datetime) -> datetime:
    return max(filter(None, (summary.started_at, summary.moved_at)), default=now)
