"""The metrics that CloudWatch takes from the logs of an environment."""

from typing import Final

from aws_cdk import aws_logs as logs
from constructs import Construct

from background_jobs.core.metrics import FEED_LAG_FIELD, Metric, metric_namespace

_REFUSED: Final = (
    '{ ($.type = "TaskSubmitFailed") || '
    '(($.type = "TaskFailed") && (($.details.error = "ECS.*") || ($.details.error = "AmazonECS.*"))) }'
)
"""The lines of the state machine's log that say ECS launched nothing."""


class LogMetrics(Construct):
    """Launches that were refused, from the state machine's log; the feed's lag, from the progress API's."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: str,
        fan_out: logs.ILogGroup,
        api: logs.ILogGroup,
    ) -> None:
        super().__init__(scope, construct_id)
        namespace = metric_namespace(environment)
        logs.MetricFilter(
            self,
            "Refused",
            log_group=fan_out,
            filter_pattern=logs.FilterPattern.literal(_REFUSED),
            metric_namespace=namespace,
            metric_name=Metric.LAUNCHES_REFUSED,
        )
        logs.MetricFilter(
            self,
            "FeedLag",
            log_group=api,
            filter_pattern=logs.FilterPattern.exists(f"$.{FEED_LAG_FIELD}"),
            metric_namespace=namespace,
            metric_name=Metric.FEED_LAG,
            metric_value=f"$.{FEED_LAG_FIELD}",
        )
