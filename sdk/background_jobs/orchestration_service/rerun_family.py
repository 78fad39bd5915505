"""Reruns of reruns: which orchestration runs which again, and one answer over all of them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import datetime
from heapq import merge
from itertools import chain, groupby, pairwise
from operator import itemgetter
from typing import Any, NamedTuple

from background_jobs.aws.stores import Stores
from background_jobs.core import ids
from background_jobs.core.errors import OrchestrationNotFound
from background_jobs.core.events import (
    JobCompleted,
    JobErrored,
    JobOutcome,
    OrchestrationCompleted,
    OrchestrationStarted,
)
from background_jobs.core.index_ranges import parse_ranges
from background_jobs.core.lineage import origins
from background_jobs.core.outcomes import Failure, Success
from background_jobs.core.statuses import State
from background_jobs.core.views.instances import indices_in_states
from background_jobs.orchestration_service.outcomes import outcomes_from_events
from background_jobs.orchestration_service.stored_params import ParamsReader


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
    return _read_path(orchestration_id, stores, lambda _: False)


def _read_path(
    orchestration_id: str, stores: Stores, is_first: Callable[[OrchestrationStarted], bool]
) -> list[Member]:
    """Return what an orchestration runs again, from what *is_first* or else is no rerun, and itself last."""
    path = [stores.event_log.read_started(orchestration_id)]
    # A rerun runs in the service of what it runs again.
    event_log = stores.event_log.for_service(path[0].service)
    while path[-1].rerun_only and path[-1].parent_id and not is_first(path[-1]):
        path.append(event_log.read_started(path[-1].parent_id))
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
    first = read_ancestors(orchestration_id, stores)[0]
    return [first, *_read_descendants(first, stores)]


def read_finished_before(orchestration_id: str, stores: Stores, *, in_pipeline: bool = True) -> list[Member]:
    """Return an orchestration and those whose outcomes count before its own, the first one first.

    These are what it runs again, and all reruns of that which had completed when it did. So of several
    reruns that repair a part each, the last one finds all of them repaired, and no other does. With
    *in_pipeline*, a rerun that began a pipeline of its own is the first one.

    Raises OrchestrationNotFound.
    """
    path = _read_path(orchestration_id, stores, began_pipeline if in_pipeline else lambda _: False)
    if len(path) == 1:
        return path
    return _read_finished(path[0], _Finished.before([path], stores), stores)


def read_stage(orchestration_id: str, stores: Stores) -> list[list[Member]]:
    """Return an orchestration, and the others whose outcomes add up with its own, each with its reruns.

    Others ran the same stage in the pipelines that reruns of a stage before began, or in the one that these
    went on from. What had not completed when *orchestration_id* did is left out, so that the answer stays the
    same. Raises OrchestrationNotFound.
    """
    path = _read_stages_before(orchestration_id, stores)
    finished = _Finished.before(path, stores)
    families = [_read_finished(path[0][0], finished, stores)]
    for before, (first, *_) in pairwise(path):
        stage = before[-1].started.then
        # The results of all, or of fixed params, take the place of those that the stage had before.
        adds_up = stage is None or not (isinstance(stage.params, list) or stage.all_results())
        following = _read_following(families, first, finished, stores) if adds_up else [first]
        families = [_read_finished(member, finished, stores) for member in following]
    return families


def _read_stages_before(orchestration_id: str, stores: Stores) -> list[list[Member]]:
    """Return the stages that led to an orchestration, and its own last, each with what it runs again."""
    stages = [read_ancestors(orchestration_id, stores)]
    while (before := stages[0][0].started.parent_id) and stages[0][0].id == ids.next_stage_id(before):
        stages.insert(0, read_ancestors(before, stores))
    return stages


def _read_following(
    families: Iterable[Sequence[Member]], own: Member, finished: "_Finished", stores: Stores
) -> Iterable[Member]:
    """Return the next stage of each pipeline that is among *families*; *own* is that of its pipeline."""
    event_log = stores.event_log.for_service(own.started.service)
    of_pipelines: dict[str | None, Member] = {}
    # A pipeline that stopped may have gone on from several reruns: the last one has the outcomes of all.
    for member in sorted(chain.from_iterable(families), key=finished.time_of):
        with suppress(OrchestrationNotFound):
            started = event_log.read_started(ids.next_stage_id(member.id))
            if finished.has(started):
                of_pipelines[started.pipeline_id] = Member(started, range(started.total))
    return (of_pipelines | {own.started.pipeline_id: own}).values()


def _read_finished(first: Member, finished: "_Finished", stores: Stores) -> list[Member]:
    return [first, *(member for member in _read_descendants(first, stores) if finished.has(member.started))]


class _Finished(NamedTuple):
    """Tells which orchestrations had completed when the last one of a path did."""

    own: OrchestrationCompleted | None
    path: AbstractSet[str]
    """Those that led to it had; their containers may have had another clock."""
    stores: Stores

    @classmethod
    def before(cls, path: Sequence[Sequence[Member]], stores: Stores) -> "_Finished":
        last = path[-1][-1]
        own = stores.event_log.for_service(last.started.service).read_completed(last.id)
        return cls(own, {member.id for member in chain.from_iterable(path)}, stores)

    def has(self, other: OrchestrationStarted) -> bool:
        """Tell whether *other* had."""
        if other.orchestration_id in self.path:
            return True
        completed = self._read_completed(other)
        if completed is None or self.own is None:
            return False
        return (completed.at, completed.orchestration_id) < (self.own.at, self.own.orchestration_id)

    def time_of(self, member: Member) -> datetime:
        """Return when *member* completed; it is one that had."""
        completed = self._read_completed(member.started)
        return completed.at if completed else member.started.at

    def _read_completed(self, started: OrchestrationStarted) -> OrchestrationCompleted | None:
        return self.stores.event_log.for_service(started.service).read_completed(started.orchestration_id)


def began_pipeline(started: OrchestrationStarted) -> bool:
    """Tell whether an orchestration is a rerun with the next stages in a pipeline of its own."""
    return started.rerun_only is not None and started.pipeline_id == started.orchestration_id


def read_repaired(orchestration_id: str, stores: Stores, *, that_went_on: bool = False) -> bytearray:
    """Return a 1 for each instance that has completed in a rerun of its orchestration by now, and else a 0.

    It is empty where there are no reruns. With *that_went_on*, those count alone whose next stages followed.
    Raises OrchestrationNotFound.
    """
    started = stores.event_log.read_started(orchestration_id)
    reruns = read_reruns(started, stores)
    if that_went_on:
        log = stores.event_log.for_service(started.service)
        reruns = [one for one in reruns if began_pipeline(one.started) and not log.read_skipped(one.id)]
    repaired = bytearray(started.total if reruns else 0)
    for member in reruns:
        model = stores.read_model.read_snapshot(member.id)
        for index in indices_in_states(model, {State.COMPLETED}):
            repaired[member.origins[index]] = 1
    return repaired


def read_reruns(started: OrchestrationStarted, stores: Stores, *, without: str | None = None) -> list[Member]:
    """Return the reruns of an orchestration, and theirs, oldest first; without one of them and its own."""
    return _read_descendants(Member(started, range(started.total)), stores, without=without)


def merge_outcomes(members: Sequence[Member], stores: Stores) -> Iterator[Success | Failure]:
    """Yield one outcome for each instance of the first orchestration: its latest success, or latest failure.

    They are in the order of its params, and their indices are its own; each has the params that it ran with,
    which a rerun may have changed. A few of them are in memory at a time. Raises PayloadNotFound.
    """
    readers = {member.id: ParamsReader(member.started, stores.payloads) for member in members}

    def read_params(event: JobOutcome) -> dict[str, Any]:
        return readers[event.orchestration_id].read(event.index)

    return outcomes_from_events(_merge_events(members, stores), members[0].started, read_params, stores)


def count_errored(members: Sequence[Member], stores: Stores) -> int:
    """Return how many instances of the first orchestration errored in every run."""
    if len(members) == 1:
        event_log = stores.event_log.for_service(members[0].started.service)
        if completion := event_log.read_completed(members[0].id):
            return completion.errored
    return sum(isinstance(event, JobErrored) for _, event in _merge_events(members, stores))


def _merge_events(members: Sequence[Member], stores: Stores) -> Iterator[tuple[int, JobOutcome]]:
    """Yield the outcome that counts for each instance of the first orchestration, with its index there.

    The outcomes of each member ascend by that index, so that one pass over all of them at once is enough.
    """
    merged = merge(*(_read_events(member, stores) for member in members), key=itemgetter(0))
    for index, candidates in groupby(merged, key=itemgetter(0)):
        latest: JobOutcome | None = None
        for _, event in candidates:  # those of earlier members come first
            if isinstance(event, JobCompleted) or not isinstance(latest, JobCompleted):
                latest = event
        if latest is not None:
            yield index, latest


def _read_events(member: Member, stores: Stores) -> Iterator[tuple[int, JobOutcome]]:
    event_log = stores.event_log.for_service(member.started.service)
    for event in event_log.read_outcomes(member.id, 0, member.started.total - 1):
        yield member.origins[event.index], event


def errored_indices(orchestration_id: str, stores: Stores) -> Iterator[int]:
    """Yield the indices of the instances that errored by now."""
    yield from indices_in_states(stores.read_model.read_snapshot(orchestration_id), {State.ERRORED})


def _read_descendants(first: Member, stores: Stores, *, without: str | None = None) -> list[Member]:
    """Return the reruns of *first*, and theirs, oldest first; leaving out the rerun *without* and its own."""
    members = [first]
    event_log = stores.event_log.for_service(first.started.service)
    for member in members:
        for request in event_log.read_reruns(member.id):
            if request.rerun_id == without:
                continue
            # A rerun may have been requested without its kick-off having succeeded.
            with suppress(OrchestrationNotFound):
                members.append(_child(member, event_log.read_started(request.rerun_id), stores))
    return sorted(members[1:], key=lambda member: member.started.at)


def _child(parent: Member, started: OrchestrationStarted, stores: Stores) -> Member:
    return Member(started, origins(parent.origins, read_rerun_indices(started, stores)))


def read_rerun_indices(started: OrchestrationStarted, stores: Stores) -> Iterator[int] | None:
    """Return the indices of the instances of its parent that a rerun runs again; None for all of them.

    Raises PayloadNotFound.
    """
    if started.rerun_only == "failed" and started.parent_id:
        return errored_indices(started.parent_id, stores)
    if started.rerun_only == "selected":
        text = stores.payloads.get(started.rerun_indices_key).decode()
        return (index for part in parse_ranges(text) for index in part.numbers())
    return None
