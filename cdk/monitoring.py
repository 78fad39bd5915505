"""The monitoring of an environment: alarms, their recipient, and a dashboard."""

from typing import Final

from aws_cdk import Annotations, Aws
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from background_jobs.cdk.alarms import Alarms
from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.control_plane import ControlPlane
from background_jobs.cdk.dashboard import EnvironmentDashboard
from background_jobs.cdk.functions import Functions
from background_jobs.cdk.log_metrics import LogMetrics
from background_jobs.cdk.progress_api import ProgressApi

_PUBLISHER: Final = "cloudwatch.amazonaws.com"


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
            warm=bool(config.warm_workers),
        )
        Alarms(
            self,
            "Alarms",
            environment=config.environment,
            control_plane=control_plane,
            functions=functions,
            action=self._action(config.notify),
            warm=bool(config.warm_workers),
        )
        EnvironmentDashboard(
            self,
            "Dashboard",
            environment=config.environment,
            control_plane=control_plane,
            functions=functions,
            progress_api=progress_api,
            warm=bool(config.warm_workers),
        )

    def _action(self, notify: str | None) -> cloudwatch.IAlarmAction | None:
        if notify is None:
            return None
        if notify.startswith("arn:"):
            self._say_what_topic_needs(notify)
            return actions.SnsAction(sns.Topic.from_topic_arn(self, "Topic", notify))
        return actions.SnsAction(self._make_topic(notify))

    def _make_topic(self, address: str) -> sns.Topic:
        """Make a topic that CloudWatch may publish to, and nobody without TLS.

        The policy of `enforce_ssl` replaces the one that SNS gives each topic, and with it what lets alarms
        publish. Source: Amazon SNS Developer Guide, "Example cases for access control".
        """
        topic = sns.Topic(self, "Topic", enforce_ssl=True)
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsOfThisAccount",
                principals=[iam.ServicePrincipal(_PUBLISHER)],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )
        topic.add_subscription(subscriptions.EmailSubscription(address))
        return topic

    def _say_what_topic_needs(self, arn: str) -> None:
        """Say while synthesizing what the policy of a topic must have that is not ours to change."""
        Annotations.of(self).add_info(
            f"Alarms publish to {arn}. Its policy must allow sns:Publish to {_PUBLISHER} for this account "
            "(docs/deploying.md#alarms); otherwise nobody hears of them."
        )
