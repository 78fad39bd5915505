"""Running instances again, in a new orchestration that knows its parent."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any, Final, Unpack

from background_jobs.aws.job_catalog import JobCatalog
from background_jobs.aws.stores import Stores
from background_jobs.core import ids
from background_jobs.core.errors import EventConflict, InvalidKickOff, InvalidParams, OrchestrationNotFound
from background_jobs.core.events import OrchestrationStarted, RerunRequested
from background_jobs.core.index_ranges import write_ranges
from background_jobs.core.limits import RERUN_SAMPLES
from background_jobs.core.lineage import Lineage
from background_jobs.core.options import (
    KickOffOptions,
    RerunKeywords,
    RerunOptions,
    RunOptions,
    keywords_of,
    read_options,
)
from background_jobs.core.payloads import INLINE_BYTES, params_line
from background_jobs.core.stages import walk_stages
from background_jobs.core.views.causes import EXAMPLES
from background_jobs.core.views.jobs import ParamsProblem
from background_jobs.core.views.rerun_preview import ParamsChange, RerunPreview
from background_jobs.orchestration_service.jobs import find_problems
from background_jobs.orchestration_service.kick_off import (
    KickOffRequest,
    append_kick_off,
    known_channels,
    prepare_kick_off,
)
from background_jobs.orchestration_service.rerun_family import (
    began_pipeline,
    read_ancestors,
    read_repaired,
    read_reruns,
)
from background_jobs.orchestration_service.rerun_selection import Selection, select
from background_jobs.orchestration_service.watching import current_summary
from background_jobs.settings import Settings

_DECISION_SECONDS: Final = 10.0
"""The longest wait for the decision what follows a stage; it mostly takes a second."""
_LOOK_SECONDS: Final = 0.2


def rerun(
    orchestration_id: str, stores: Stores, settings: Settings, **keywords: Unpack[RerunKeywords]
) -> str:
    """Kick off the rerun of an orchestration, and return its id.

    Raises OrchestrationNotFound, InvalidKickOff, CauseNotFound, InvalidParams, KickOffConflict, or
    PayloadNotFound once the params have expired.
    """
    options = read_options(RerunOptions, keywords, settings.max_parallelism)
    selection = _select(orchestration_id, options, stores)
    started = selection.started
    stopped = _may_stop(started) and _stopped(started, stores)
    request = _request(selection, settings, options, stopped=stopped)
    request.refuse(settings, stores.payloads)
    params = (after for _, after in selection.read_params(stores))
    with _naming(selection):
        prepared = prepare_kick_off(request, params, stores, settings)
    requested = RerunRequested(
        orchestration_id=orchestration_id,
        at=stores.clock(),
        rerun_id=prepared.orchestration_id,
        only=selection.only,
        cause=options.cause,
        by=stores.actor,
    )
    with suppress(EventConflict):  # the same key comes a second time
        stores.event_log.for_service(started.service).append(requested)
    append_kick_off(prepared, stores)
    return prepared.orchestration_id


def preview_rerun(
    orchestration_id: str, stores: Stores, settings: Settings, **keywords: Unpack[RerunKeywords]
) -> RerunPreview:
    """Return what a rerun with the same options would run, with the params of the first instances.

    Raises what `rerun` raises, except that only the params of these are looked at.
    """
    options = read_options(RerunOptions, keywords, settings.max_parallelism)
    selection = _select(orchestration_id, options, stores)
    _request(selection, settings, options, stopped=False).refuse(settings, stores.payloads)
    with _naming(selection):
        samples = list(
            islice(zip(selection.indices, selection.read_params(stores), strict=True), RERUN_SAMPLES)
        )
        changes = [
            _check_change(place, index, before, after)
            for place, (index, (before, after)) in enumerate(samples)
        ]
    changed = {index: after for index, (before, after) in samples if before != after}
    repaired = read_repaired(orchestration_id, stores)
    started = selection.started
    is_skipped = current_summary(orchestration_id, stores).next_skipped is not None
    goes_on = options.next_stages or (is_skipped and _may_stop(started))
    is_over = started.rerun_only is not None and not goes_on
    return RerunPreview(
        orchestration_id=orchestration_id,
        job_name=started.job_name,
        only=selection.only,
        instances=len(selection.indices),
        indices=write_ranges(selection.indices[:EXAMPLES]),
        more_indices=len(selection.indices) > EXAMPLES,
        repaired=sum(repaired[index] for index in selection.indices) if repaired else 0,
        next_stages=[] if is_over else [stage.job_name for stage in walk_stages(started.then)],
        goes_on=goes_on,
        changed=any(change.before != change.after for change in changes),
        params=changes,
        problems=list(_find_problems(started, changed, stores)),
    )


def _find_problems(
    started: OrchestrationStarted, changed: dict[int, dict[str, Any]], stores: Stores
) -> Iterator[ParamsProblem]:
    """Yield what does not fit in the *changed* params, by the index of their instance.

    Others have been accepted before, and the schema may be of another release.
    """
    if not changed:
        return
    for job in JobCatalog(stores.payloads).read(started.service):
        if job.name == started.job_name:
            indices = list(changed)
            for problem in find_problems(job, changed.values()):
                yield problem.model_copy(update={"index": indices[problem.index]})


def _select(orchestration_id: str, options: RerunOptions, stores: Stores) -> Selection:
    if not current_summary(orchestration_id, stores).all_final:
        raise InvalidKickOff(f"Orchestration {orchestration_id} still runs; wait for its end, or cancel it.")
    started = stores.event_log.read_started(orchestration_id)
    if not options.next_stages:
        return select(started, options, stores)
    if started.then is None:
        raise InvalidKickOff(
            f"No stage follows orchestration {orchestration_id}, so its rerun can have no next_stages."
        )
    if started.rerun_only:
        first = read_ancestors(orchestration_id, stores)[0].id
        raise InvalidKickOff(
            f"Orchestration {orchestration_id} is a rerun: run {first} again with next_stages, which knows "
            "what has gone on by any rerun."
        )
    if _stopped(started, stores):
        raise InvalidKickOff(
            f"The pipeline stopped at orchestration {orchestration_id}, so a rerun goes on by itself, "
            "without next_stages."
        )
    _refuse_side_by_side(started, options, stores)
    return select(started, options, stores)


def _refuse_side_by_side(started: OrchestrationStarted, options: RerunOptions, stores: Stores) -> None:
    """Raise InvalidKickOff while another rerun may go on with the same, for both would then."""
    itself = None if options.key is None else ids.rerun_id(started.orchestration_id, options.key)
    for member in read_reruns(started, stores, without=itself):
        if member.started.then is None:
            continue
        if not current_summary(member.id, stores).all_final:
            raise InvalidKickOff(
                f"Rerun {member.id} still runs, and its next stages follow; wait for its end or cancel it."
            )
        _stopped(member.started, stores)  # by then it is decided whether they do


@contextmanager
def _naming(selection: Selection) -> Iterator[None]:
    """Let InvalidParams name the instance by its index in the orchestration that runs again."""
    try:
        yield
    except InvalidParams as refused:
        raise InvalidParams(selection.indices[refused.index], refused.reason) from refused


def _check_change(place: int, index: int, before: dict[str, Any], after: dict[str, Any]) -> ParamsChange:
    shown = [value if len(params_line(place, value)) <= INLINE_BYTES else None for value in (before, after)]
    return ParamsChange(index=index, before=shown[0], after=shown[1])


def _may_stop(started: OrchestrationStarted) -> bool:
    """Tell whether a pipeline that stops there goes on from a rerun.

    One that a rerun began does not: what is left of it runs again with the orchestration that went on first.
    """
    return started.then is not None and not began_pipeline(started)


def _stopped(started: OrchestrationStarted, stores: Stores) -> bool:
    """Tell whether the pipeline stopped here; that is decided a moment after the last outcome.

    Raises InvalidKickOff if the decision does not come in time.
    """
    deadline, orchestration_id = time.monotonic() + _DECISION_SECONDS, started.orchestration_id
    event_log = stores.event_log.for_service(started.service)
    next_service = started.then.service if started.then else None
    log_of_next = stores.event_log.for_service(next_service or started.service)
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
    selection: Selection, settings: Settings, options: RerunOptions, *, stopped: bool
) -> KickOffRequest:
    started, count = selection.started, len(selection.indices)
    key, given = options.key, keywords_of(RunOptions, options)
    inherited = {
        "parallelism": min(started.parallelism, count, settings.max_parallelism),
        "retry": started.retry,
        "service": started.service,
        "notify": known_channels(started.notify, settings),
        # A pipeline that stopped here goes on from the rerun; one that went on does not wait for it.
        "then": started.then if stopped or options.next_stages else None,
    }
    own = {name: value for name, value in given.items() if value is not None}
    kick_off_options = read_options(KickOffOptions, {**inherited, **own, "key": key})
    return KickOffRequest(
        job_name=started.job_name,
        options=kick_off_options.with_tags(started.tags if options.tags is None else options.tags),
        known_id=str(uuid.uuid4()) if key is None else ids.rerun_id(started.orchestration_id, key),
        lineage=Lineage(
            parent_id=started.orchestration_id,
            rerun_only=selection.only,
            **({} if options.next_stages else {"pipeline_id": started.pipeline_id, "stage": started.stage}),
        ),
        rerun_indices=selection.recorded_indices,
    )
