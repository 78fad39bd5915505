"""Launches that failed: whether to launch again, when, and what the log says of it."""

import math
from collections.abc import Callable
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
from background_jobs.core.planning.fargate import TaskSize
from background_jobs.core.planning.memory import LaunchSize, next_size
from background_jobs.core.task_failure import (
    NOT_LAUNCHED,
    NOTHING_SAID,
    LastWords,
    TaskFailure,
    quote,
    read_failure,
)
from background_jobs.settings import Settings


class DelayReport(BaseModel):
    """A launch that failed, as the state machine reports it."""

    orchestration_id: str
    share: int
    capacity_provider: str = ON_DEMAND
    error: TaskError
    tries: Tries = Tries()
    """What the answer to the report before said."""
    size: LaunchSize | None = None
    """Of the container, if that is not the task definition's; the answer before said so."""


class DelayAnswer(BaseModel):
    """What the state machine does after *wait_seconds*; it gives *tries* back with its next report."""

    given_up: bool
    """Whether the share is closed instead of launched again."""
    wait_seconds: int
    tries: Tries
    container_seconds: int
    """How long the next container may take."""
    size: LaunchSize | None = None
    """That of the next container; None for that of the task definition."""


def note_delay(  # noqa: PLR0913 -- what it decides by
    report: DelayReport,
    stores: Stores,
    now: datetime,
    *,
    settings: Settings,
    draw: float,
    read_last_words: Callable[[TaskFailure], LastWords] = lambda _: NOTHING_SAID,
) -> DelayAnswer:
    """Decide when a share is launched again, and append why it waits if that is news.

    A container that ran out of memory is launched again with more, up to the limit of its service. *draw* is
    uniform in [0, 1), and *read_last_words* finds what a container that was lost wrote last. The share is
    given up where the orchestration is cancelled, completed, past its deadline, or so old that its params
    will be removed: an aborted Map Run may live on.
    """
    started, end = stores.event_log.read_started_and_end(report.orchestration_id)
    left = last_moment(started.at, started.deadline, settings.retention.of(started.service)) - now
    if end is not None or left <= timedelta():
        return _answer(0, report.tries, timedelta(), given_up=True)
    failure = read_failure(report.error.error, report.error.cause)
    limit = settings.service_memory_limits.get(started.service, 0)
    larger = _larger(failure, limit)
    reason = _reason(failure, larger)
    spot = may_be_reclaimed(report.capacity_provider)
    decision = decide_relaunch(reason, report.tries, spot=spot, draw=draw)
    if decision.wait_seconds is None:
        return _answer(0, decision.tries, left, given_up=True)
    if decision.is_news:
        advice = _advise_on_memory(larger, limit) if larger else _advise(report, failure)
        event = _delay_event(report, reason, failure, advice, now, read_last_words(failure))
        with suppress(EventConflict):  # the same report came twice
            stores.event_log.append(event)
    is_too_late = decision.wait_seconds >= left.total_seconds()
    wait = math.ceil(left.total_seconds()) if is_too_late else decision.wait_seconds
    size = LaunchSize.larger(larger) if larger else report.size and report.size.again()
    return _answer(wait, decision.tries, left, given_up=is_too_late, size=size)


def _larger(failure: TaskFailure, limit: int) -> TaskSize | None:
    size = failure.out_of_memory
    return next_size(size.cpu, size.memory_mib, limit) if size else None


def _reason(failure: TaskFailure, larger: TaskSize | None) -> DelayReason:
    if larger:
        return DelayReason.MEMORY
    return delay_reason(failure.reason) if failure.kind == NOT_LAUNCHED else DelayReason.LOST


def _answer(
    wait_seconds: int, tries: Tries, left: timedelta, *, given_up: bool, size: LaunchSize | None = None
) -> DelayAnswer:
    # What is given up is launched all the same where its containers were lost and had made progress.
    longest = longest_container(max(timedelta(), left - timedelta(seconds=wait_seconds)))
    return DelayAnswer(
        given_up=given_up, wait_seconds=wait_seconds, tries=tries, container_seconds=longest, size=size
    )


def _advise(report: DelayReport, failure: TaskFailure) -> str:
    return advise(failure.reason, spot=report.capacity_provider == SPOT)


def _advise_on_memory(larger: TaskSize, limit: int) -> str:
    return (
        f"It is launched again with {larger.memory_mib:,} MiB and {larger.vcpus:g} vCPUs; "
        f"max_memory_mib of the service allows {limit:,} MiB."
    )


def _delay_event(  # noqa: PLR0913, PLR0917 -- what the event says
    report: DelayReport,
    reason: DelayReason,
    failure: TaskFailure,
    advice: str,
    now: datetime,
    last_words: LastWords,
) -> ShareDelayed:
    return ShareDelayed(
        orchestration_id=report.orchestration_id,
        at=now,
        share=report.share,
        number=report.tries.notes,
        reason=reason,
        detail=f"{failure.reason}.{quote(last_words)}" if last_words.last else failure.reason,
        advice=advice,
        log=last_words.log,
    )
