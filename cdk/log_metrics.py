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

_NOT_TAKEN: Final = '{ ($.type = "TaskTimedOut") && ($.details.error = "States.HeartbeatTimeout") }'
"""The lines of the same log that say that a share was offered in vain, or lost with its worker."""


class LogMetrics(Construct):
    """Launches refused and offers not taken, from the state machine's log; the feed's lag, from the API's."""

    def __init__(  # noqa: PLR0913 -- which logs
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: str,
        fan_out: logs.ILogGroup,
        api: logs.ILogGroup,
        warm: bool,
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
        if warm:
            logs.MetricFilter(
                self,
                "NotTaken",
                log_group=fan_out,
                filter_pattern=logs.FilterPattern.literal(_NOT_TAKEN),
                metric_namespace=namespace,
                metric_name=Metric.OFFERS_NOT_TAKEN,
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
