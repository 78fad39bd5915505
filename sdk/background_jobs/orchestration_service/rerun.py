"""Running instances again, in an orchestration that knows which ones they were."""

import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final, TypedDict, Unpack

from background_jobs.aws.stores import Stores
from background_jobs.core import ids
from background_jobs.core.errors import EventConflict, InvalidKickOff, OrchestrationNotFound
from background_jobs.core.events import OrchestrationStarted, RerunRequested
from background_jobs.core.lineage import Lineage, Rerun
from background_jobs.core.retry import Retry
from background_jobs.orchestration_service.kick_off import KickOff, kick_off
from background_jobs.orchestration_service.rerun_family import errored_indices
from background_jobs.orchestration_service.stored_params import read_all_params
from background_jobs.orchestration_service.watching import current_summary
from background_jobs.settings import Settings

_DECISION_SECONDS: Final = 10.0
"""How long what follows a stage may take to be decided; mostly it is a second."""
_LOOK_SECONDS: Final = 0.2


class RerunOptions(TypedDict, total=False):
    """What may be asked of a rerun; `Orchestration.rerun` says what each means."""

    only: Rerun
    key: str | None
    parallelism: int | None
    retry: Retry | None
    timeout: float | timedelta | None
    tags: Mapping[str, str] | None


def rerun(orchestration_id: str, stores: Stores, settings: Settings, **options: Unpack[RerunOptions]) -> str:
    """Kick off the rerun of an orchestration, and return its id.

    Raises OrchestrationNotFound, InvalidKickOff, KickOffConflict, or PayloadNotFound once the params have
    expired.
    """
    summary = current_summary(orchestration_id, stores)
    if not summary.all_final:
        raise InvalidKickOff(f"Orchestration {orchestration_id} still runs; wait for its end, or cancel it.")
    started = stores.event_log.read_started(orchestration_id)
    only = options.get("only", "failed")
    again = set(errored_indices(orchestration_id, stores) if only == "failed" else range(started.total))
    if not again:
        raise InvalidKickOff(f"Orchestration {orchestration_id} has nothing to run again.")
    stopped = started.then is not None and _stopped(orchestration_id, stores)
    wanted = _wanted(started, len(again), settings, options, stopped=stopped)
    wanted.refuse(settings)
    request = RerunRequested(
        orchestration_id=orchestration_id, at=datetime.now(UTC), rerun_id=wanted.new_id(), only=only
    )
    with suppress(EventConflict):  # the same key once more
        stores.event_log.for_service(started.service).append(request)
    params = enumerate(read_all_params(started, stores.payloads))
    return kick_off(wanted, (one for index, one in params if index in again), stores, settings)


def _stopped(orchestration_id: str, stores: Stores) -> bool:
    """Tell whether the pipeline stopped here; what follows is decided in a moment after the last outcome.

    Raises InvalidKickOff if it is not decided for long.
    """
    deadline, next_id = time.monotonic() + _DECISION_SECONDS, ids.next_stage_id(orchestration_id)
    while True:
        if stores.event_log.read_skipped(orchestration_id):
            return True
        with suppress(OrchestrationNotFound):
            stores.event_log.read_started(next_id)
            return False
        if time.monotonic() > deadline:
            raise InvalidKickOff(
                f"It is not decided yet what follows orchestration {orchestration_id}; try again in a moment."
            )
        time.sleep(_LOOK_SECONDS)


def _wanted(
    started: OrchestrationStarted, count: int, settings: Settings, options: RerunOptions, *, stopped: bool
) -> KickOff:
    tags, parallelism, key = options.get("tags"), options.get("parallelism"), options.get("key")
    if parallelism is None:
        parallelism = min(started.parallelism, count, settings.max_parallelism)
    return KickOff(
        job_name=started.job_name,
        parallelism=parallelism,
        key=key,
        known_id=str(uuid.uuid4()) if key is None else ids.rerun_id(started.orchestration_id, key),
        tags=started.tags if tags is None else tags,
        service=started.service,
        retry=options.get("retry") or started.retry,
        timeout=options.get("timeout"),
        # A pipeline that stopped here goes on from the rerun.
        then=started.then if stopped else None,
        lineage=Lineage(
            parent_id=started.orchestration_id,
            rerun_only=options.get("only", "failed"),
            pipeline_id=started.pipeline_id,
            stage=started.stage,
        ),
    )
