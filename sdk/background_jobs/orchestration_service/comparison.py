"""Which instances of two orchestrations have another status: they are matched by what they run."""

from collections.abc import Sequence

from background_jobs.aws.stores import Stores
from background_jobs.core.statuses import Status, status_of
from background_jobs.core.views.comparison import InstanceChanges
from background_jobs.orchestration_service.rerun_family import read_ancestors


def read_instance_changes(earlier_id: str, later_id: str, stores: Stores) -> InstanceChanges:
    """Return the instances of both orchestrations whose status is another in the later one.

    Where one runs the other again, or both run a third again, an instance is compared with the one that has
    the same params; in other cases with the one of the same index. Raises OrchestrationNotFound.
    """
    return InstanceChanges.of(_match_statuses((earlier_id, later_id), stores))


def _match_statuses(both: tuple[str, str], stores: Stores) -> dict[int, tuple[int, Status, Status]]:
    places, others = _read_places(both, stores)
    model, other_model = (stores.read_model.read_snapshot(one) for one in both)
    other_index = {place: index for index, place in enumerate(others)}
    return {
        index: (other, status_of(model.rank(index)), status_of(other_model.rank(other)))
        for index, place in enumerate(places)
        if (other := other_index.get(place)) is not None
    }


def _read_places(both: tuple[str, str], stores: Stores) -> tuple[Sequence[int], Sequence[int]]:
    """Return, for each instance of both, its index in what they run again; else the index that it has."""
    lineages = [read_ancestors(one, stores) for one in both]
    if lineages[0][0].id == lineages[1][0].id:
        return lineages[0][-1].origins, lineages[1][-1].origins
    return range(lineages[0][-1].started.total), range(lineages[1][-1].started.total)
