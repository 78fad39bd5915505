"""What two orchestrations have in common: which instances, by what they run, and how those ended in both."""

from collections.abc import Sequence
from dataclasses import dataclass

from background_jobs.aws.stores import Stores
from background_jobs.core.limits import PAGE
from background_jobs.core.statuses import status_of
from background_jobs.core.views.causes import FailureDigest
from background_jobs.core.views.comparison import InstanceChanges
from background_jobs.orchestration_service.causes import read_cause_page
from background_jobs.orchestration_service.rerun_family import read_ancestors


@dataclass(frozen=True, slots=True)
class Matched:
    """The instances that an orchestration has in common with a later one."""

    earlier_id: str
    later_id: str
    related: bool
    """Whether one runs the other again, or both run a third again; otherwise all instances count."""
    later_index: dict[int, int]
    """By the index in the earlier one, ascending."""
    stores: Stores

    def changes(self) -> InstanceChanges:
        """Return those whose status is another in the later one."""
        model, later = (self.stores.read_model.read_snapshot(one) for one in (self.earlier_id, self.later_id))
        return InstanceChanges.of(
            {
                index: (other, status_of(model.rank(index)), status_of(later.rank(other)))
                for index, other in self.later_index.items()
            }
        )

    def digests(self) -> tuple[FailureDigest, FailureDigest]:
        """Return the causes of the earlier and the later one; what a rerun leaves out is not gone with it."""
        if not self.related:
            return self._digest(self.earlier_id, None), self._digest(self.later_id, None)
        return (
            self._digest(self.earlier_id, list(self.later_index)),
            self._digest(self.later_id, sorted(self.later_index.values())),
        )

    def _digest(self, orchestration_id: str, indices: Sequence[int] | None) -> FailureDigest:
        return FailureDigest.of(read_cause_page(orchestration_id, PAGE, None, self.stores, indices=indices))


def match(earlier_id: str, later_id: str, stores: Stores) -> Matched:
    """Match the instances of two orchestrations.

    Where they are related, an instance is matched with the one that has the same params; in other cases with
    the one of the same index. Raises OrchestrationNotFound, or PayloadNotFound once the params have expired.
    """
    lineages = [read_ancestors(one, stores) for one in (earlier_id, later_id)]
    related = lineages[0][0].id == lineages[1][0].id
    earlier, later = (
        members[-1].origins if related else range(members[-1].started.total) for members in lineages
    )
    found = {place: index for index, place in enumerate(later)}
    pairs = {index: found[place] for index, place in enumerate(earlier) if place in found}
    return Matched(earlier_id, later_id, related, pairs, stores)
