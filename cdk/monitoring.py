"""The monitoring of an environment: alarms, their recipient, and a dashboard."""

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from cdk.alarms import Alarms
from cdk.config import EnvironmentConfig
from cdk.control_plane import ControlPlane
from cdk.dashboard import EnvironmentDashboard
from cdk.functions import Functions
from cdk.log_metrics import LogMetrics
from cdk.progress_api import ProgressApi


class Monitoring(Construct):
    """Metrics of logs, alarms and the dashboard."""

    def __init__(  # noqa: PLR0913 -- what it watches
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: EnvironmentConfig,
        control_plane: ControlPlane,
        functions: Functions,
        progress_api: ProgressApi,
    ) -> None:
        super().__init__(scope, construct_id)
        LogMetrics(
            self,
            "LogMetrics",
            environment=config.environment,
            fan_out=control_plane.fan_out.log,
            api=progress_api.function.log_group,
        )
        Alarms(
            self,
            "Alarms",
            environment=config.environment,
            control_plane=control_plane,
            functions=functions,
            action=self._action(config.notify),
        )
        EnvironmentDashboard(
            self,
            "Dashboard",
            environment=config.environment,
            control_plane=control_plane,
            functions=functions,
            progress_api=progress_api,
        )

    def _action(self, notify: str | None) -> cloudwatch.IAlarmAction | None:
        if notify is None:
            return None
        if notify.startswith("arn:"):
            return actions.SnsAction(sns.Topic.from_topic_arn(self, "Topic", notify))
        topic = sns.Topic(self, "Topic", enforce_ssl=True)
        topic.add_subscription(subscriptions.EmailSubscription(notify))
        return actions.SnsAction(topic)
