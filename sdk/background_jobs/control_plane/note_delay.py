"""Launches that failed: whether to launch again, when, and what the log says of it."""

import math
from contextlib import suppress
from datetime import datetime, timedelta

from pydantic import BaseModel

from background_jobs.aws.stores import Stores
from background_jobs.control_plane.close_unfinished import TaskError
from background_jobs.core.containers.advice import advise
from background_jobs.core.containers.capacity import ON_DEMAND, SPOT, may_be_reclaimed
from background_jobs.core.containers.delays import DelayReason, delay_reason
from background_jobs.core.containers.relaunch import Tries, decide_relaunch
from background_jobs.core.containers.time_allowed import last_moment, longest_container
from background_jobs.core.errors import EventConflict
from background_jobs.core.events import ShareDelayed
from background_jobs.core.retention import Retention
from background_jobs.core.task_failure import NOT_LAUNCHED, read_failure


class DelayReport(BaseModel):
    """A launch that failed, as the state machine reports it."""

    orchestration_id: str
    share: int
    capacity_provider: str = ON_DEMAND
    error: TaskError
    tries: Tries = Tries()
    """What the answer to the report before said."""


class DelayAnswer(BaseModel):
    """What the state machine does after *wait_seconds*; it gives *tries* back with its next report."""

    given_up: bool
    """Whether the share is closed instead of launched again."""
    wait_seconds: int
    tries: Tries
    container_seconds: int
    """How long the next container may take."""


def note_delay(
    report: DelayReport, stores: Stores, now: datetime, *, retention: Retention, draw: float
) -> DelayAnswer:
    """Decide when a share is launched again, and append why it waits if that is news.

    *draw* is uniform in [0, 1). It is given up where the orchestration is cancelled, completed, past its
    deadline, or so old that its params will be removed: an aborted Map Run may live on.
    """
    started, end = stores.event_log.read_started_and_end(report.orchestration_id)
    left = last_moment(started.at, started.deadline, retention.of(started.service)) - now
    if end is not None or left <= timedelta():
        return _answer(0, report.tries, timedelta(), given_up=True)
    failure = read_failure(report.error.error, report.error.cause)
    reason = delay_reason(failure.reason) if failure.kind == NOT_LAUNCHED else DelayReason.LOST
    spot = may_be_reclaimed(report.capacity_provider)
    decision = decide_relaunch(reason, report.tries, spot=spot, draw=draw)
    if decision.wait_seconds is None:
        return _answer(0, decision.tries, left, given_up=True)
    if decision.is_news:
        event = _delay_event(report, reason, failure.reason, now)
        with suppress(EventConflict):  # the same report came twice
            stores.event_log.append(event)
    is_too_late = decision.wait_seconds >= left.total_seconds()
    wait = math.ceil(left.total_seconds()) if is_too_late else decision.wait_seconds
    return _answer(wait, decision.tries, left, given_up=is_too_late)


def _answer(wait_seconds: int, tries: Tries, left: timedelta, *, given_up: bool) -> DelayAnswer:
    # What is given up is launched all the same where its containers were lost and had made progress.
    longest = longest_container(max(timedelta(), left - timedelta(seconds=wait_seconds)))
    return DelayAnswer(given_up=given_up, wait_seconds=wait_seconds, tries=tries, container_seconds=longest)


def _delay_event(report: DelayReport, reason: DelayReason, detail: str, now: datetime) -> ShareDelayed:
    return ShareDelayed(
        orchestration_id=report.orchestration_id,
        at=now,
        share=report.share,
        number=report.tries.notes,
        reason=reason,
        detail=detail,
        advice=advise(detail, spot=report.capacity_provider == SPOT),
    )
