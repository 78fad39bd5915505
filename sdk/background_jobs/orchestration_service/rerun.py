"""Running instances again, in a new orchestration that knows its parent."""

import time
import uuid
from contextlib import suppress
from typing import Final, Unpack

from background_jobs.aws.stores import Stores
from background_jobs.core import ids
from background_jobs.core.errors import EventConflict, InvalidKickOff, OrchestrationNotFound
from background_jobs.core.events import OrchestrationStarted, RerunRequested
from background_jobs.core.lineage import Lineage
from background_jobs.core.options import (
    KickOffOptions,
    RerunKeywords,
    RerunOptions,
    RunOptions,
    keywords_of,
    read_options,
)
from background_jobs.core.stages import Stage
from background_jobs.orchestration_service.kick_off import (
    KickOffRequest,
    append_kick_off,
    known_channels,
    prepare_kick_off,
)
from background_jobs.orchestration_service.rerun_family import errored_indices
from background_jobs.orchestration_service.stored_params import read_params
from background_jobs.orchestration_service.watching import current_summary
from background_jobs.settings import Settings

_DECISION_SECONDS: Final = 10.0
"""The longest wait for the decision what follows a stage; it mostly takes a second."""
_LOOK_SECONDS: Final = 0.2


def rerun(
    orchestration_id: str, stores: Stores, settings: Settings, **keywords: Unpack[RerunKeywords]
) -> str:
    """Kick off the rerun of an orchestration, and return its id.

    Raises OrchestrationNotFound, InvalidKickOff, KickOffConflict, or PayloadNotFound once the params have
    expired.
    """
    summary = current_summary(orchestration_id, stores)
    if not summary.all_final:
        raise InvalidKickOff(f"Orchestration {orchestration_id} still runs; wait for its end, or cancel it.")
    options = read_options(RerunOptions, keywords, settings.max_parallelism)
    started = stores.event_log.read_started(orchestration_id)
    event_log = stores.event_log.for_service(started.service)
    failed = options.only == "failed"
    count = summary.errored if failed else started.total
    if not count:
        raise InvalidKickOff(f"Orchestration {orchestration_id} has nothing to run again.")
    stopped = started.then is not None and _stopped(started, started.then, stores)
    request = _request(started, count, settings, options, stopped=stopped)
    request.refuse(settings)
    again = errored_indices(orchestration_id, stores) if failed else range(started.total)
    prepared = prepare_kick_off(request, read_params(started, again, stores.payloads), stores, settings)
    requested = RerunRequested(
        orchestration_id=orchestration_id,
        at=stores.clock(),
        rerun_id=prepared.orchestration_id,
        only=options.only,
    )
    with suppress(EventConflict):  # the same key comes a second time
        event_log.append(requested)
    append_kick_off(prepared, stores)
    return prepared.orchestration_id


def _stopped(started: OrchestrationStarted, next_stage: Stage, stores: Stores) -> bool:
    """Tell whether the pipeline stopped here; that is decided a moment after the last outcome.

    Raises InvalidKickOff if the decision does not come in time.
    """
    deadline, orchestration_id = time.monotonic() + _DECISION_SECONDS, started.orchestration_id
    event_log = stores.event_log.for_service(started.service)
    log_of_next = stores.event_log.for_service(next_stage.service or started.service)
    while True:
        if event_log.read_skipped(orchestration_id):
            return True
        with suppress(OrchestrationNotFound):
            log_of_next.read_started(ids.next_stage_id(orchestration_id))
            return False
        if time.monotonic() > deadline:
            raise InvalidKickOff(
                f"It is not decided yet what follows orchestration {orchestration_id}; try again in a moment."
            )
        time.sleep(_LOOK_SECONDS)


def _request(
    started: OrchestrationStarted, count: int, settings: Settings, options: RerunOptions, *, stopped: bool
) -> KickOffRequest:
    key, given = options.key, keywords_of(RunOptions, options)
    inherited = {
        "parallelism": min(started.parallelism, count, settings.max_parallelism),
        "retry": started.retry,
        "service": started.service,
        "notify": known_channels(started.notify, settings),
        # A pipeline that stopped here goes on from the rerun.
        "then": started.then if stopped else None,
    }
    own = {name: value for name, value in given.items() if value is not None}
    kick_off_options = read_options(KickOffOptions, {**inherited, **own, "key": key})
    return KickOffRequest(
        job_name=started.job_name,
        options=kick_off_options.with_tags(started.tags if options.tags is None else options.tags),
        known_id=str(uuid.uuid4()) if key is None else ids.rerun_id(started.orchestration_id, key),
        lineage=Lineage(
            parent_id=started.orchestration_id,
            rerun_only=options.only,
            pipeline_id=started.pipeline_id,
            stage=started.stage,
        ),
    )
