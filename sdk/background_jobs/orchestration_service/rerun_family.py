"""Reruns of reruns: which orchestration runs which again, and one answer over all of them."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from background_jobs.aws.stores import Stores
from background_jobs.core.errors import OrchestrationNotFound
from background_jobs.core.events import OrchestrationStarted
from background_jobs.core.lineage import origins
from background_jobs.core.outcomes import Failure, Success
from background_jobs.core.statuses import State
from background_jobs.core.views.instances import indices_in_states
from background_jobs.orchestration_service.outcomes import read_all_outcomes


class Member(NamedTuple):
    """An orchestration of a lineage."""

    started: OrchestrationStarted
    origins: Sequence[int]
    """For each of its instances, the index in the first orchestration of the lineage."""

    @property
    def id(self) -> str:
        """Return the id of the orchestration."""
        return self.started.orchestration_id


def read_ancestors(orchestration_id: str, stores: Stores) -> list[Member]:
    """Return the orchestrations that an orchestration runs again, the first one first, and itself last.

    Raises OrchestrationNotFound.
    """
    path = [stores.event_log.read_started(orchestration_id)]
    while path[-1].rerun_only and path[-1].parent_id:
        path.append(stores.event_log.read_started(path[-1].parent_id))
    members = [Member(path.pop(), range(0))]
    members[0] = members[0]._replace(origins=range(members[0].started.total))
    while path:
        members.append(_child(members[-1], path.pop(), stores))
    return members


def read_family(orchestration_id: str, stores: Stores) -> list[Member]:
    """Return the first orchestration of a lineage and all its reruns, oldest first.

    *orchestration_id* may be any of them.

    Raises OrchestrationNotFound.
    """
    members = [read_ancestors(orchestration_id, stores)[0]]
    for member in members:
        for request in stores.event_log.read_reruns(member.id):
            # A rerun may have been requested without its kick-off having succeeded.
            with suppress(OrchestrationNotFound):
                members.append(_child(member, stores.event_log.read_started(request.rerun_id), stores))
    return sorted(members, key=lambda member: member.started.at)


def merge_outcomes(members: Iterable[Member], stores: Stores) -> list[Success | Failure]:
    """Return one outcome for each instance of the first orchestration: its latest success, or latest failure.

    They are in the order of its params, and their indices are its own. Raises PayloadNotFound.
    """
    latest: dict[int, Success | Failure] = {}
    for member in members:
        for outcome in read_all_outcomes(member.started, stores):
            index = member.origins[outcome.index]
            if isinstance(outcome, Success) or not isinstance(latest.get(index), Success):
                latest[index] = replace(outcome, index=index)
    return [latest[index] for index in sorted(latest)]


def errored_indices(orchestration_id: str, stores: Stores) -> Iterator[int]:
    """Yield the indices of the instances that errored by now."""
    yield from indices_in_states(stores.read_model.read_snapshot(orchestration_id), {State.ERRORED})


def _child(parent: Member, started: OrchestrationStarted, stores: Stores) -> Member:
    again = errored_indices(parent.id, stores) if started.rerun_only == "failed" else None
    return Member(started, origins(parent.origins, again))
