"""The metrics of the service, by their names in CloudWatch."""

from enum import StrEnum
from typing import Final

METRIC_SERVICE: Final = "background-jobs"
"""The value of the one dimension of our metrics, `service`."""


class Metric(StrEnum):
    """What is measured, by its name in CloudWatch."""

    INSTANCES_COMPLETED = "InstancesCompleted"
    INSTANCES_ERRORED = "InstancesErrored"
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
    """How old the oldest transition was when it was sent to those who watch."""
    ORCHESTRATIONS_STALLED = "OrchestrationsStalled"
    """Orchestrations in which nothing has moved for too long."""
    LAUNCHES_REFUSED = "LaunchesRefused"
    """Containers that ECS would not launch, each time it was asked; counted from the state machine's log."""


COUNTS: Final = frozenset(
    {
        Metric.INSTANCES_COMPLETED,
        Metric.INSTANCES_ERRORED,
        Metric.ORCHESTRATIONS_COMPLETED,
        Metric.ORCHESTRATIONS_STALLED,
        Metric.LAUNCHES_REFUSED,
    }
)
"""The metrics that are numbers of things; all others are seconds."""

FEED_LAG_FIELD: Final = "feed_lag_seconds"
"""The field of the progress API's log from which FeedLag is taken."""


def metric_namespace(environment: str) -> str:
    """Return the CloudWatch namespace of an environment's metrics.

    >>> metric_namespace("prod")
    'BackgroundJobs/prod'
    """
    return f"BackgroundJobs/{environment}"
