"""The function that tells channels of the end of orchestrations; there is none without channels."""

from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from background_jobs.cdk.event_stream import EventStream
from background_jobs.cdk.functions import Functions
from background_jobs.cdk.notification_config import NotificationConfigs, Topic, Webhook, channels_of
from background_jobs.cdk.rule_targets import function_target
from background_jobs.cdk.shared import SharedResources
from background_jobs.core.completion import JobCompletedEvent
from background_jobs.core.notifications.channels import CHANNELS
from background_jobs.settings import NotifySettings


class Notifications(Construct):
    """A rule of the bus, and the function that sends; what it cannot send is kept with all that failed."""

    def __init__(  # noqa: PLR0913 -- what it is made of
        self,
        scope: Construct,
        construct_id: str,
        *,
        shared: SharedResources,
        functions: Functions,
        stream: EventStream,
        console_url: str,
    ) -> None:
        super().__init__(scope, construct_id)
        configs = shared.config.notifications
        settings = NotifySettings(
            channels=CHANNELS.dump_json(channels_of(configs)).decode(), console_url=console_url
        )
        self.function = functions.function("notify", seconds=300, variables=settings.to_env())
        shared.storage.event_log.grant_read(self.function)
        shared.storage.read_model.grant_read_by_id(self.function)
        self._grant_send(self.function, configs)
        stream.keep_what_fails(self.function)
        pattern = JobCompletedEvent.pattern()
        events.Rule(
            self,
            "Completed",
            event_bus=shared.bus,
            event_pattern=events.EventPattern(source=pattern["source"], detail_type=pattern["detail-type"]),
            targets=[function_target(self.function, stream.end)],
        )

    def _grant_send(self, function: lambda_.IFunction, configs: NotificationConfigs) -> None:
        """Let *function* publish to the topics, and read the secrets, that are declared, and no others."""
        secrets = sorted({config.secret_arn for config in configs.values() if isinstance(config, Webhook)})
        topics = sorted({config.arn for config in configs.values() if isinstance(config, Topic)})
        for action, resources in (("secretsmanager:GetSecretValue", secrets), ("sns:Publish", topics)):
            if resources:
                function.add_to_role_policy(iam.PolicyStatement(actions=[action], resources=resources))
