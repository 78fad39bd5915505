"""Starting the stage that follows an orchestration, or saying in the log why it does not."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from background_jobs.aws.stores import Stores
from background_jobs.core import ids
from background_jobs.core.errors import (
    EventConflict,
    InvalidKickOff,
    InvalidParams,
    PayloadNotFound,
    UnknownJobName,
)
from background_jobs.core.events import OrchestrationStarted, StageSkipped
from background_jobs.core.lineage import Lineage
from background_jobs.core.outcomes import Failure, Success
from background_jobs.core.stages import MissingReference, Stage, fill_params
from background_jobs.orchestration_service.kick_off import KickOff, kick_off
from background_jobs.orchestration_service.rerun_family import merge_outcomes, read_ancestors
from background_jobs.settings import Settings

_REFUSALS = (InvalidKickOff, InvalidParams, MissingReference, PayloadNotFound, UnknownJobName)
_log = logging.getLogger(__name__)


class Following(BaseModel):
    """What a rule asks for: a stage to follow an orchestration that knows nothing of it."""

    orchestration_id: str
    rule: str
    """The rule's name, so that an event that comes twice starts one orchestration."""
    stage: Stage


def start_next(orchestration_id: str, stores: Stores, settings: Settings) -> bool:
    """Start what follows a completed orchestration, if anything does, or append StageSkipped.

    Returns whether another stage follows. The id of that follows from the first one's, so that a second call
    starts nothing. Raises OrchestrationNotFound.
    """
    started, cancellation = stores.event_log.read_started_and_cancelled(orchestration_id)
    stage, next_id = started.then, ids.next_stage_id(orchestration_id)
    if stage is None:
        return False
    if cancellation or stores.event_log.read_cancelled(next_id):
        _skip(started, stage, "The pipeline was cancelled.", stores)
        return False
    lineage = Lineage(parent_id=orchestration_id, pipeline_id=started.pipeline_id, stage=started.stage + 1)
    if reason := _refusal(started, stage, next_id, lineage, stores, settings):
        _skip(started, stage, reason, stores)
    return not reason


def start_following(wanted: Following, stores: Stores, settings: Settings) -> None:
    """Start the stage that a rule asks for; where it cannot be, say so in the log of the function.

    Raises OrchestrationNotFound.
    """
    started = stores.event_log.read_started(wanted.orchestration_id)
    next_id = ids.following_id(wanted.orchestration_id, wanted.rule)
    lineage = Lineage(parent_id=wanted.orchestration_id)
    if reason := _refusal(started, wanted.stage, next_id, lineage, stores, settings):
        _log.warning(
            "A rule's stage was not started",
            extra={"orchestration_id": wanted.orchestration_id, "rule": wanted.rule, "reason": reason},
        )


def _refusal(  # noqa: PLR0913, PLR0917 -- what a kick-off needs
    started: OrchestrationStarted,
    stage: Stage,
    next_id: str,
    lineage: Lineage,
    stores: Stores,
    settings: Settings,
) -> str:
    """Kick the stage off, or return why it cannot be."""
    outcomes = merge_outcomes(read_ancestors(started.orchestration_id, stores), stores)
    errored = sum(isinstance(outcome, Failure) for outcome in outcomes)
    if errored and stage.on_failure == "stop":
        return f"{errored} of {len(outcomes)} instances of stage {started.stage} errored."
    wanted = KickOff(
        job_name=stage.job_name,
        parallelism=stage.parallelism,
        tags=started.tags,
        service=stage.service or started.service,
        retry=stage.retry,
        timeout=stage.timeout,
        then=stage.then,
        lineage=lineage,
        known_id=next_id,
    )
    try:
        kick_off(wanted, _params(stage, outcomes), stores, settings)
    except _REFUSALS as refused:
        return str(refused)
    return ""


def _params(stage: Stage, outcomes: Iterable[Success | Failure]) -> Iterator[dict[str, Any]]:
    if isinstance(stage.params, list):
        yield from stage.params
        return
    for outcome in outcomes:
        if isinstance(outcome, Success):
            yield fill_params(
                stage.params,
                result=outcome.result,
                params=outcome.params,
                index=outcome.index,
                job_id=outcome.job_id,
            )


def _skip(started: OrchestrationStarted, stage: Stage, reason: str, stores: Stores) -> None:
    event = StageSkipped(
        orchestration_id=started.orchestration_id,
        at=datetime.now(UTC),
        job_name=stage.job_name,
        reason=reason[:2_000],
    )
    _log.info(
        "A stage was skipped",
        extra={"orchestration_id": started.orchestration_id, "job_name": stage.job_name, "reason": reason},
    )
    with suppress(EventConflict):  # the completion came a second time
        stores.event_log.for_service(started.service).append(event)
