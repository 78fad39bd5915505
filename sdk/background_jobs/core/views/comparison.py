"""Two orchestrations beside each other: their counts, their durations, and which causes are new or gone."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from background_jobs.core.causes import normalise_message
from background_jobs.core.statuses import OrchestrationStatus, Status
from background_jobs.core.views.causes import Cause, FailureDigest
from background_jobs.core.views.orchestration import Counts, OrchestrationView

MOST_CHANGES: Final = 1_000
"""The most instances of another status that a comparison lists; it counts the others."""
_LINE: Final = re.compile(r":\d+ in ")


class RunFigures(BaseModel):
    """What is compared of one orchestration."""

    model_config = ConfigDict(frozen=True)

    orchestration_id: str
    job_name: str
    status: OrchestrationStatus
    total: int
    counts: Counts
    started_at: AwareDatetime | None
    completed_at: AwareDatetime | None = Field(description="Null while it runs.")
    seconds: float | None = Field(
        description="From its kick-off to its end, or until now; null while it has not begun."
    )

    @classmethod
    def of(cls, view: OrchestrationView, now: datetime) -> Self:
        """Return the figures of *view* at the moment *now*."""
        seconds = ((view.completed_at or now) - view.started_at).total_seconds() if view.started_at else None
        return cls(
            orchestration_id=view.orchestration_id,
            job_name=view.job_name,
            status=view.status,
            total=view.total,
            counts=view.counts,
            started_at=view.started_at,
            completed_at=view.completed_at,
            seconds=None if seconds is None else max(0.0, seconds),
        )


class CauseChange(BaseModel):
    """A cause of failures, and how many there were of it before and after."""

    model_config = ConfigDict(frozen=True)

    type: str
    message: str
    place: str
    before: int
    after: int


class InstanceChange(BaseModel):
    """An instance of both orchestrations whose status is not the same."""

    model_config = ConfigDict(frozen=True)

    index: int = Field(description="Its index in the earlier one.")
    later_index: int = Field(description="Its index in the later one.")
    before: Status
    after: Status


class InstanceChanges(BaseModel):
    """The instances of both orchestrations, and those whose status is not the same."""

    model_config = ConfigDict(frozen=True)

    in_both: int = Field(
        default=0, description="How many instances both have; a rerun has what it runs again."
    )
    changed_count: int = 0
    changed: list[InstanceChange] = Field(default=[], description=f"By index; {MOST_CHANGES:,} at most.")

    @classmethod
    def of(cls, statuses: Mapping[int, tuple[int, Status, Status]]) -> Self:
        """Return the changes: *statuses* has, by the earlier index, the later index and both statuses."""
        changed = [
            InstanceChange(index=index, later_index=later, before=before, after=after)
            for index, (later, before, after) in sorted(statuses.items())
            if before != after
        ]
        return cls(in_both=len(statuses), changed_count=len(changed), changed=changed[:MOST_CHANGES])


class Comparison(InstanceChanges):
    """Two orchestrations beside each other, the most frequent causes first."""

    model_config = ConfigDict(frozen=True)

    before: RunFigures
    after: RunFigures
    new: list[CauseChange] = Field(description="Causes that only the later one has.")
    gone: list[CauseChange] = Field(description="Causes that only the earlier one has.")
    same: list[CauseChange] = Field(description="Causes that both have.")
    more_causes: int = Field(
        default=0,
        description="How many further causes there are that were not compared; where there are some, what is "
        "new or gone may be among them.",
    )

    def with_instances(self, changes: InstanceChanges) -> Self:
        """Return the comparison with the instances that changed."""
        return self.model_copy(update={name: getattr(changes, name) for name in InstanceChanges.model_fields})


def compare(
    before: OrchestrationView,
    after: OrchestrationView,
    failures_before: FailureDigest,
    failures_after: FailureDigest,
    *,
    now: datetime,
) -> Comparison:
    """Compare an orchestration with a later one.

    A cause is the same where error type, message (apart from values in it), file and function are. The line
    may be another, for the code may have been mended above it.
    """
    causes = (_by_identity(failures_before.causes), _by_identity(failures_after.causes))
    changes = [_change(*(found.get(identity, []) for found in causes)) for identity in causes[0] | causes[1]]
    changes.sort(key=lambda change: -max(change.before, change.after))
    return Comparison(
        before=RunFigures.of(before, now),
        after=RunFigures.of(after, now),
        new=[change for change in changes if not change.before],
        gone=[change for change in changes if not change.after],
        same=[change for change in changes if change.before and change.after],
        more_causes=failures_before.more_causes + failures_after.more_causes,
    )


_Identity = tuple[str, str, str]


def _by_identity(causes: Iterable[Cause]) -> dict[_Identity, list[Cause]]:
    found: dict[_Identity, list[Cause]] = {}
    for cause in causes:
        identity = (cause.type, normalise_message(cause.message), _LINE.sub(" in ", cause.place))
        found.setdefault(identity, []).append(cause)
    return found


def _change(before: list[Cause], after: list[Cause]) -> CauseChange:
    latest = (after or before)[0]
    return CauseChange(
        type=latest.type,
        message=latest.message,
        place=latest.place,
        before=sum(cause.count for cause in before),
        after=sum(cause.count for cause in after),
    )
