"""Reading job instances one by one: how each stands, and everything that happened to one of them."""

from background_jobs.aws.stores import Stores
from background_jobs.core.errors import InstanceNotFound
from background_jobs.core.events import ContainerStarted, JobCompleted, JobErrored
from background_jobs.core.outcomes import Failure, Success
from background_jobs.core.statuses import State, Status, state_of
from background_jobs.core.views.event_history import Launch, list_launches
from background_jobs.core.views.instances import (
    STATES,
    InstanceDetail,
    InstanceEvent,
    InstancePage,
    InstanceView,
    indices_in_states,
    slice_indices,
)
from background_jobs.core.views.later_events import list_later
from background_jobs.core.views.page import position_of, token_of
from background_jobs.orchestration_service.outcomes import outcome_from_event, read_cause_indices
from background_jobs.orchestration_service.stored_params import read_params


def read_instance_page(  # noqa: PLR0913 -- the filters of a page
    orchestration_id: str,
    status: Status | None,
    limit: int,
    next_token: str | None,
    stores: Stores,
    *,
    cause: str | None = None,
) -> InstancePage:
    """Return a page of the instances, all or those of one status or cause; none while nothing was folded.

    Raises InvalidToken or CauseNotFound.
    """
    model = stores.read_model.read_snapshot(orchestration_id)
    states = STATES[Status(status)] if status else frozenset(State)
    indices, position = indices_in_states(model, states), position_of(next_token)
    if cause is not None:
        failures = read_cause_indices(orchestration_id, cause, position, stores, with_retrying=True)
        indices = (index for index in failures if state_of(model.rank(index)) in states)
    page, next_index = slice_indices(indices, position, limit)
    views = [InstanceView.of(orchestration_id, index, model.rank(index)) for index in page]
    return InstancePage(items=views, next_token=token_of(next_index))


def read_instance(orchestration_id: str, index: int, stores: Stores) -> InstanceDetail:
    """Return one instance with its params, its outcome and its event history.

    Raises OrchestrationNotFound, InstanceNotFound, or PayloadNotFound once its params or its result have
    expired.
    """
    started = stores.event_log.read_started(orchestration_id)
    if not 0 <= index < started.total:
        raise InstanceNotFound(orchestration_id, index, started.total)
    model = stores.read_model.read_snapshot(orchestration_id)
    (params,) = read_params(started, [index], stores.payloads)
    told = stores.event_log.read_instance(orchestration_id, index)
    events = sorted(told.events, key=lambda event: event.at)
    outcomes = [
        outcome_from_event(event, started.job_name, params, stores.payloads)
        for event in events
        if isinstance(event, JobCompleted | JobErrored)
    ]
    launches = stores.event_log.read_launches_of(orchestration_id, index)
    return InstanceDetail(
        instance=InstanceView.of(orchestration_id, index, model.rank(index)),
        params=params,
        result=next((outcome.result_json for outcome in outcomes if isinstance(outcome, Success)), None),
        error=next((outcome.error for outcome in outcomes if isinstance(outcome, Failure)), None),
        log=launches[-1].log if launches else "",
        containers=_list_containers(orchestration_id, launches, stores),
        events=[InstanceEvent.of(event) for event in events],
        later_events=list_later(told.later),
    )


def _list_containers(orchestration_id: str, launches: list[ContainerStarted], stores: Stores) -> list[Launch]:
    ended = stores.event_log.read_containers(orchestration_id).ended
    return list_launches([*launches, *ended])
