"""The metrics of the service, by their names in CloudWatch, and what a batch of events adds to them."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from background_jobs.core import statuses
from background_jobs.core.events import Event, JobCompleted, JobErrored
from background_jobs.core.fold import FoldResult
from background_jobs.core.read_model import Summary, Transition
from background_jobs.core.task_failure import NOT_LAUNCHED

_SET_VALUES: Final = 100
"""CloudWatch takes so many values of a metric from one document."""
METRIC_SERVICE: Final = "background-jobs"
"""The value of the one dimension of our metrics, `service`."""


class Metric(StrEnum):
    """A metric, by its name in CloudWatch."""

    INSTANCES_COMPLETED = "InstancesCompleted"
    INSTANCES_ERRORED = "InstancesErrored"
    INSTANCES_NOT_LAUNCHED = "InstancesNotLaunched"
    """Those among the errored whose container was given up before it ran."""
    INSTANCE_DURATION = "InstanceDuration"
    """From the start of its last attempt to its outcome; of those that completed."""
    ORCHESTRATIONS_COMPLETED = "OrchestrationsCompleted"
    ORCHESTRATION_DURATION = "OrchestrationDuration"
    """From the kick-off to the last outcome."""
    QUEUE_WAIT = "QueueWait"
    """From the kick-off to the first start of an instance."""
    AGGREGATOR_LAG = "AggregatorLag"
    """How old the oldest event of a batch was when it had been folded."""
    FEED_LAG = "FeedLag"
    """How old the oldest transition was when it was sent to watchers."""
    ORCHESTRATIONS_STALLED = "OrchestrationsStalled"
    """Orchestrations in which nothing has moved for too long."""
    EVENTS_REPLACED = "EventsReplaced"
    """Items of the event log that somebody replaced or removed, though it is append-only."""
    RECORDS_FAILED = "RecordsFailed"
    """Portions of the event log's stream that a function asked to be given again, each time it did."""
    WARM_WORKERS = "WarmWorkers"
    """Warm workers of a service that ran when an orchestration was kicked off."""
    WARM_WORKERS_BUSY = "WarmWorkersBusy"
    """Those among them that worked on a share."""
    SHARES_OFFERED = "SharesOffered"
    """Shares that were offered to warm workers."""
    OFFERS_NOT_TAKEN = "OffersNotTaken"
    """Offers that no worker took, or whose worker was lost; counted from the state machine's log."""
    LAUNCHES_REFUSED = "LaunchesRefused"
    """Calls in which ECS refused to launch a container; counted from the state machine's log."""


COUNTS: Final = frozenset(
    {
        Metric.INSTANCES_COMPLETED,
        Metric.INSTANCES_ERRORED,
        Metric.INSTANCES_NOT_LAUNCHED,
        Metric.ORCHESTRATIONS_COMPLETED,
        Metric.ORCHESTRATIONS_STALLED,
        Metric.EVENTS_REPLACED,
        Metric.RECORDS_FAILED,
        Metric.WARM_WORKERS,
        Metric.WARM_WORKERS_BUSY,
        Metric.SHARES_OFFERED,
        Metric.OFFERS_NOT_TAKEN,
        Metric.LAUNCHES_REFUSED,
    }
)
"""The metrics that are numbers of things; all others are seconds."""

FEED_LAG_FIELD: Final = "feed_lag_seconds"
"""The field of the progress API's log from which FeedLag is taken."""


def metric_namespace(environment: str) -> str:
    """Return the CloudWatch namespace of the metrics of an environment.

    >>> metric_namespace("prod")
    'BackgroundJobs/prod'
    """
    return f"BackgroundJobs/{environment}"


class Measurement(NamedTuple):
    """One value of a metric."""

    metric: Metric
    value: float

    @property
    def unit(self) -> str:
        """Return what CloudWatch calls the unit."""
        return "Count" if self.metric in COUNTS else "Seconds"


def measure(
    before: Summary, result: FoldResult, events: Sequence[Event], now: datetime
) -> Iterator[Measurement]:
    """Yield what is measured of folding *events* into the read model of *before*, stored at *now*.

    A duplicate changes nothing in the read model, so it is not measured again.
    """
    after = result.model.summary
    yield from _measure_instances(result.transitions, events)
    if result.transitions:
        oldest = min(transition.at for transition in result.transitions)
        yield Measurement(Metric.AGGREGATOR_LAG, _seconds(oldest, now))
    if after.started_at and after.first_job_at and not (before.started_at and before.first_job_at):
        yield Measurement(Metric.QUEUE_WAIT, _seconds(after.started_at, after.first_job_at))
    if after.completed_at and not before.completed_at:
        yield Measurement(Metric.ORCHESTRATIONS_COMPLETED, 1)
        if after.started_at:
            yield Measurement(Metric.ORCHESTRATION_DURATION, _seconds(after.started_at, after.completed_at))


def cut_metric_sets(measurements: Iterable[Measurement]) -> Iterator[dict[str, dict[str, Any]]]:
    """Yield *measurements* by the names of their metrics, with up to 100 values of each at a time.

    >>> list(cut_metric_sets([Measurement(Metric.QUEUE_WAIT, 2.0), Measurement(Metric.QUEUE_WAIT, 3.0)]))
    [{'QueueWait': {'Unit': 'Seconds', 'Value': [2.0, 3.0]}}]
    """
    values: dict[Metric, list[float]] = {}
    units: dict[Metric, str] = {}
    for measurement in measurements:
        values.setdefault(measurement.metric, []).append(float(measurement.value))
        units[measurement.metric] = measurement.unit
    most = max(map(len, values.values()), default=0)
    for first in range(0, most, _SET_VALUES):
        yield {
            str(metric): {"Unit": units[metric], "Value": part}
            for metric, all_values in values.items()
            if (part := all_values[first : first + _SET_VALUES])
        }


def _measure_instances(transitions: Iterable[Transition], events: Sequence[Event]) -> Iterator[Measurement]:
    completed = {t.index for t in transitions if t.rank == statuses.COMPLETED}
    errored = {t.index for t in transitions if t.rank == statuses.ERRORED}
    if completed:
        yield Measurement(Metric.INSTANCES_COMPLETED, len(completed))
    if errored:
        yield Measurement(Metric.INSTANCES_ERRORED, len(errored))
    given_up = {e.index for e in events if isinstance(e, JobErrored) and e.error.type == NOT_LAUNCHED}
    if not_launched := errored & given_up:
        yield Measurement(Metric.INSTANCES_NOT_LAUNCHED, len(not_launched))
    for event in events:
        if isinstance(event, JobCompleted) and event.started_at and event.index in completed:
            completed.remove(event.index)
            yield Measurement(Metric.INSTANCE_DURATION, _seconds(event.started_at, event.at))


def _seconds(since: datetime, until: datetime) -> float:
    """Return the seconds between two moments; 0 where the clocks of two machines disagree on their order."""
    return max(0.0, (until - since).total_seconds())
