"""What a batch of events tells about an environment: outcomes, durations and waits, each counted once."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from background_jobs.core import statuses
from background_jobs.core.events import Event, JobCompleted
from background_jobs.core.fold import FoldResult, Summary, Transition
from background_jobs.core.metrics import COUNTS, Metric


class Measurement(NamedTuple):
    """One value of a metric."""

    metric: Metric
    value: float

    @property
    def unit(self) -> str:
        """Return what CloudWatch calls the unit."""
        return "Count" if self.metric in COUNTS else "Seconds"


def measure(
    before: Summary, folded: FoldResult, events: Iterable[Event], now: datetime
) -> Iterator[Measurement]:
    """Yield what folding *events* into the read model of *before* brought, stored at *now*.

    A duplicate changes nothing in the read model, so it is not measured again.
    """
    after = folded.model.summary
    yield from _instances(folded.transitions, events)
    if folded.transitions:
        oldest = min(transition.at for transition in folded.transitions)
        yield Measurement(Metric.AGGREGATOR_LAG, _seconds(oldest, now))
    if after.started_at and after.first_job_at and not (before.started_at and before.first_job_at):
        yield Measurement(Metric.QUEUE_WAIT, _seconds(after.started_at, after.first_job_at))
    if after.completed_at and not before.completed_at:
        yield Measurement(Metric.ORCHESTRATIONS_COMPLETED, 1)
        if after.started_at:
            yield Measurement(Metric.ORCHESTRATION_DURATION, _seconds(after.started_at, after.completed_at))


def _instances(transitions: Iterable[Transition], events: Iterable[Event]) -> Iterator[Measurement]:
    completed = {one.index for one in transitions if one.rank == statuses.COMPLETED}
    errored = sum(one.rank == statuses.ERRORED for one in transitions)
    if completed:
        yield Measurement(Metric.INSTANCES_COMPLETED, len(completed))
    if errored:
        yield Measurement(Metric.INSTANCES_ERRORED, errored)
    for event in events:
        if isinstance(event, JobCompleted) and event.started_at and event.index in completed:
            completed.remove(event.index)
            yield Measurement(Metric.INSTANCE_DURATION, _seconds(event.started_at, event.at))


def _seconds(since: datetime, until: datetime) -> float:
    """Return the seconds between two moments of two clocks, which may be a little apart."""
    return max(0.0, (until - since).total_seconds())
