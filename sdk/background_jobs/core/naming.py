"""The names that callers, containers, the state machine and the stack must agree on."""

from enum import StrEnum
from typing import Final

EVENT_SOURCE: Final = "background-jobs"
"""The EventBridge source of everything that this service publishes."""

JOB_COMPLETED_DETAIL_TYPE: Final = "JobCompletedEvent"
"""The EventBridge detail-type of a completed orchestration."""

FOLLOWING: Final = "following"
"""The field of an invocation that names the stage which a rule starts."""

CANCELLED_DETAIL_TYPE: Final = "OrchestrationCancelled"
"""The EventBridge detail-type of a request to end an orchestration."""

STALLED_DETAIL_TYPE: Final = "OrchestrationStalled"
"""The EventBridge detail-type of the warning that nothing moves."""

HISTORY_BY_TIME: Final = "by-time"
HISTORY_BY_JOB: Final = "by-job"
HISTORY_BY_JOB_AND_STATUS: Final = "by-job-and-status"
HISTORY_BY_CUSTOMER: Final = "by-customer"
HISTORY_BY_CUSTOMER_AND_STATUS: Final = "by-customer-and-status"
HISTORY_BY_STATUS: Final = "by-status"
HISTORY_INDEXES: Final = {
    HISTORY_BY_TIME: "week",
    HISTORY_BY_JOB: "job_name",
    HISTORY_BY_JOB_AND_STATUS: "job_status",
    HISTORY_BY_CUSTOMER: "customer",
    HISTORY_BY_CUSTOMER_AND_STATUS: "customer_status",
    HISTORY_BY_STATUS: "status",
}
"""The indexes of the read model over all orchestrations, and the partition key of each."""

HISTORY_SORT_KEY: Final = "started_at"
HISTORY_FILTERED: Final = {HISTORY_BY_CUSTOMER: "job_name", HISTORY_BY_CUSTOMER_AND_STATUS: "job_name"}
"""What some indexes carry beside their keys, to be filtered by; one customer has few orchestrations."""

CUSTOMER_TAG: Final = "customer"
"""The tag by which orchestrations are found."""

SCHEDULE_TAG: Final = "schedule"
SCHEDULED_AT_TAG: Final = "scheduled_at"
"""The tags of what a schedule kicked off: its name, and when the occurrence was due (ISO 8601, UTC)."""

RUN_COMPLETED_OF: Final = "run_completed_of"
"""How the function that kicks off jobs is told, beside what is due, that a run of a schedule completed."""

SERVICE_NAME: Final = r"^[a-z0-9][a-z0-9-]{0,39}$"
"""What services are named like."""

PAYLOADS: Final = "orchestrations/"
"""How the keys of all payloads begin that belong to orchestrations."""

CONTAINER_NAME: Final = "job"
"""The one container of every task definition; the state machine overrides its environment by this name."""

JOB_NAME: Final = "JOB_NAME"
ORCHESTRATION_ID: Final = "ORCHESTRATION_ID"
JOB_ID: Final = "JOB_ID"
JOB_SHARE: Final = "JOB_SHARE"
JOB_INDICES: Final = "JOB_INDICES"
JOB_PARAMS_KEY: Final = "JOB_PARAMS_KEY"
JOB_PARAMS_BYTES: Final = "JOB_PARAMS_BYTES"
"""The environment variables that the state machine injects into a container (docs/containers.md)."""


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


def metric_namespace(stage: str) -> str:
    """Return the CloudWatch namespace of a stage's metrics.

    >>> metric_namespace("prod")
    'BackgroundJobs/prod'
    """
    return f"BackgroundJobs/{stage}"


def payload_prefix(service: str) -> str:
    """Return how the keys of all payloads of *service* begin, which expire together.

    >>> payload_prefix("billing")
    'orchestrations/billing/'
    """
    return f"{PAYLOADS}{service}/"


def payload_folder(service: str, orchestration_id: str) -> str:
    """Return what the keys of an orchestration's payloads begin with, without the slash at its end.

    >>> payload_folder("billing", "0b0e3f3c-1c58-4c0e-9d54-6f3c2d0a7c11")
    'orchestrations/billing/0b0e3f3c-1c58-4c0e-9d54-6f3c2d0a7c11'
    """
    return f"{payload_prefix(service)}{orchestration_id}"


def task_family(stage: str, service: str) -> str:
    """Return the task definition family that runs the jobs of *service* in *stage*.

    >>> task_family("prod", "billing")
    'background-jobs-prod-billing'
    """
    return f"background-jobs-{stage}-{service}"


def schedule_group(stage: str) -> str:
    """Return the group of EventBridge Scheduler that holds the schedules of *stage*.

    >>> schedule_group("prod")
    'background-jobs-prod'
    """
    return f"background-jobs-{stage}"
