"""Kicking off without a caller: the next stage of an orchestration, and the stage that a rule starts."""

import errno
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from background_jobs.aws.stores import Stores
from background_jobs.core import ids
from background_jobs.core.completion import JobCompletedEvent
from background_jobs.core.errors import (
    BackgroundJobsError,
    EventConflict,
    InvalidKickOff,
    InvalidParams,
    OrchestrationNotFound,
    OrchestrationOfOtherService,
    PayloadNotFound,
    UnknownJobName,
)
from background_jobs.core.events import OrchestrationStarted, StageSkipped
from background_jobs.core.invocations import INVOCATION, Invocation, StartStage
from background_jobs.core.lineage import Lineage
from background_jobs.core.options import KickOffOptions
from background_jobs.core.outcomes import Failure
from background_jobs.core.stages import (
    PIPELINE_CANCELLED,
    MissingReference,
    NoItems,
    ParamsTooLarge,
    Stage,
)
from background_jobs.core.tags import SCHEDULE_TAG
from background_jobs.orchestration_service.kick_off import KickOffRequest, kick_off, known_channels
from background_jobs.orchestration_service.occurrences import OccurrenceRunner
from background_jobs.orchestration_service.rerun_family import (
    Member,
    count_errored,
    merge_outcomes,
    read_finished_before,
    read_stage,
)
from background_jobs.settings import Settings

_REFUSALS = (
    InvalidKickOff,
    InvalidParams,
    MissingReference,
    NoItems,
    OrchestrationOfOtherService,
    ParamsTooLarge,
    PayloadNotFound,
    UnknownJobName,
)
_log = logging.getLogger(__name__)


class StageNotStarted(BackgroundJobsError):
    """A stage cannot be kicked off; *reason* says why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"The stage was not started: {reason}")


def parse_invocation(event: Mapping[str, Any]) -> Invocation:
    """Return what the function is to do. Raises pydantic.ValidationError if *event* is no invocation."""
    return INVOCATION.validate_python(event)


def follow_completion(
    event: JobCompletedEvent, occurrences: OccurrenceRunner, stores: Stores, settings: Settings
) -> None:
    """Start the next stage; where none follows a run of a schedule, start what waits for the run's end."""
    stage_follows = start_next(event.service, event.orchestration_id, stores, settings)
    schedule = event.tags.get(SCHEDULE_TAG)
    if schedule and not stage_follows:
        # A run whose next stage is skipped ends here, and no other event says so.
        occurrences.start_waiting(schedule)


def start_next(service: str, orchestration_id: str, stores: Stores, settings: Settings) -> bool:
    """Start the next stage of a completed orchestration, if it has one, or append StageSkipped.

    Returns whether the next stage runs. Its id follows from that of the orchestration, so that a second call
    starts nothing. Raises OrchestrationNotFound.
    """
    event_log = stores.event_log.for_service(service)
    started, cancellation = event_log.read_started_and_cancelled(orchestration_id)
    stage, next_id = started.then, ids.next_stage_id(orchestration_id)
    if stage is None:
        return False
    log_of_next = event_log.for_service(stage.service or service)
    if cancellation or log_of_next.read_cancelled(next_id):
        _skip(started, stage, PIPELINE_CANCELLED, stores)
        return False
    lineage = Lineage(parent_id=orchestration_id, pipeline_id=started.pipeline_id, stage=started.stage + 1)
    try:
        kick_off_stage(stage, started, next_id, lineage, stores, settings)
    except StageNotStarted as refused:
        _skip(started, stage, refused.reason, stores)
        return False
    return True


def start_stage_of_rule(request: StartStage, stores: Stores, settings: Settings) -> None:
    """Start the stage that a rule names; where that cannot be, write the reason to the function's own log.

    Raises OrchestrationNotFound.
    """
    started = stores.event_log.read_started(request.orchestration_id)
    stage_id = ids.rule_stage_id(request.orchestration_id, request.rule)
    lineage = Lineage(parent_id=request.orchestration_id)
    try:
        kick_off_stage(request.stage, started, stage_id, lineage, stores, settings)
    except StageNotStarted as refused:
        _log.warning(
            "A rule's stage was not started",
            extra={
                "orchestration_id": request.orchestration_id,
                "rule": request.rule,
                "reason": refused.reason,
            },
        )


def kick_off_stage(  # noqa: PLR0913, PLR0917 -- what a kick-off needs
    stage: Stage,
    previous: OrchestrationStarted,
    stage_id: str,
    lineage: Lineage,
    stores: Stores,
    settings: Settings,
) -> None:
    """Kick off *stage* under *stage_id* with the outcomes of *previous*. Raises StageNotStarted."""
    parts = _read_parts(stage, previous.orchestration_id, stores, is_next=lineage.stage > 1)
    if stage.on_failure == "stop" and (errored := sum(count_errored(part, stores) for part in parts)):
        total = sum(part[0].started.total for part in parts)
        raise StageNotStarted(f"{errored} of {total} instances of stage {previous.stage} errored.")
    try:
        request = KickOffRequest(
            job_name=stage.job_name,
            options=KickOffOptions.of_stage(
                stage,
                tags=previous.tags,
                service=previous.service,
                notify=known_channels(previous.notify, settings),
            ),
            lineage=lineage,
            known_id=stage_id,
            traceparent=previous.traceparent,
        )
        kick_off(request, _params(stage, parts, stores), stores, settings)
    except _REFUSALS as refused:
        raise StageNotStarted(str(refused)) from refused
    except OSError as failure:
        if failure.errno != errno.ENOSPC:
            raise
        raise StageNotStarted("Its params are larger than the disk of this function.") from failure


def _read_parts(
    stage: Stage, orchestration_id: str, stores: Stores, *, is_next: bool
) -> Sequence[Sequence[Member]]:
    """Return the orchestrations whose outcomes *stage* takes, each with its reruns."""
    if not stage.all_results():
        return [read_finished_before(orchestration_id, stores, in_pipeline=is_next)]
    try:
        return read_stage(orchestration_id, stores)
    except OrchestrationNotFound as gone:
        raise StageNotStarted("Its pipeline began so long ago that not all results are there.") from gone


def _params(stage: Stage, parts: Iterable[Sequence[Member]], stores: Stores) -> Iterator[dict[str, Any]]:
    """Yield the params of *stage* as the outcomes before it are read; a few are in memory at a time."""
    if isinstance(stage.params, list):
        yield from stage.params
        return
    gathered = stage.all_results()
    for outcome in chain.from_iterable(merge_outcomes(part, stores) for part in parts):
        if isinstance(outcome, Failure):
            continue
        if gathered:
            gathered.add(outcome.result_json, outcome.index)
            continue
        yield from stage.params_after(
            result=outcome.result_json, params=outcome.params, index=outcome.index, job_id=outcome.job_id
        )
    if gathered:
        yield gathered.params()


def _skip(started: OrchestrationStarted, stage: Stage, reason: str, stores: Stores) -> None:
    event = StageSkipped(
        orchestration_id=started.orchestration_id,
        at=datetime.now(UTC),
        job_name=stage.job_name,
        reason=reason,
    )
    _log.info(
        "A stage was skipped",
        extra={"orchestration_id": started.orchestration_id, "job_name": stage.job_name, "reason": reason},
    )
    with suppress(EventConflict):  # the completion came a second time
        stores.event_log.for_service(started.service).append(event)
