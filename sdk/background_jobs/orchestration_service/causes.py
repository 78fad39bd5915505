"""Reading the causes of failures, and what of them reruns have repaired."""

from collections.abc import Iterable

from background_jobs.aws.stores import Stores
from background_jobs.core.views.cause_groups import group_failures
from background_jobs.core.views.causes import CausePage
from background_jobs.core.views.page import position_of
from background_jobs.orchestration_service.outcomes import read_errors, read_retrying
from background_jobs.orchestration_service.rerun_family import read_repaired
from background_jobs.orchestration_service.stored_params import read_all_params


def read_cause_page(
    orchestration_id: str,
    limit: int,
    next_token: str | None,
    stores: Stores,
    *,
    indices: Iterable[int] | None = None,
) -> CausePage:
    """Return a page of the causes of the failures by now, among *indices* (ascending) or all instances.

    Raises OrchestrationNotFound, InvalidToken, or PayloadNotFound once the params have expired.
    """
    position = position_of(next_token)
    started = stores.event_log.read_started(orchestration_id)
    repaired = read_repaired(orchestration_id, stores)
    return group_failures(
        read_errors(orchestration_id, indices, stores),
        started.total,
        lambda: enumerate(read_all_params(started, stores.payloads)),
        retrying=read_retrying(orchestration_id, stores) if indices is None else (),
        is_repaired=lambda index: bool(repaired and repaired[index]),
        position=position,
        limit=limit,
    )
