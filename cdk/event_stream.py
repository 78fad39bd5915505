"""The stream of the event log: the functions that follow it, and what they gave up."""

from collections.abc import Mapping
from typing import Any, Final

from aws_cdk import Aws, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_lambda_event_sources import DynamoEventSource, SqsDlq
from constructs import Construct

from background_jobs.cdk.acknowledgements import acknowledge
from background_jobs.cdk.shared import SharedResources
from background_jobs.settings import StreamSettings

_RECORD_AGE: Final = Duration.hours(12)
"""Half of the stream's retention: what cannot be handled goes to the queue while later records still exist.

A record that can never be read does not wait for that: the function itself sends it there (the destination's
grant lets it), and goes on.
"""
_EXPIRY: Final = "dynamodb.amazonaws.com"
"""Who removes what has expired, as the stream says it."""
_EVENT_AGE: Final = Duration.hours(6)
"""For how long Lambda keeps an event that it could not deliver to a function."""


class EventStream(Construct):
    """Invokes at most two functions, as more would slow each other down, and keeps records that fail."""

    def __init__(self, scope: Construct, construct_id: str, *, shared: SharedResources) -> None:
        super().__init__(scope, construct_id)
        self._event_log = shared.storage.event_log
        key = shared.key
        self.given_up = sqs.Queue(
            self,
            "GivenUp",
            encryption=sqs.QueueEncryption.KMS if key else sqs.QueueEncryption.SQS_MANAGED,
            encryption_master_key=key,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        self._mappings: list[str] = []
        self._let_rules_send()
        acknowledge(self.given_up, "SQS3", "It is itself where failed records end up.")
        # Imported by its ARN, so that CDK adds no grants on the key for senders: the key's own policy
        # lets senders use it through SQS.
        self.end = sqs.Queue.from_queue_arn(self, "End", self.given_up.queue_arn)

    def _let_rules_send(self) -> None:
        """Let the rules of this account send what they could not deliver, in one statement for all."""
        rules = Stack.of(self).format_arn(service="events", resource="rule", resource_name="*")
        self.given_up.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self.given_up.queue_arn],
                conditions={
                    "ArnLike": {"aws:SourceArn": rules},
                    "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                },
            )
        )

    def feed_appended(self, function: lambda_.Function, *, batch_size: int, kind: str) -> None:
        """Feed *function* with the events of one kind, as they are appended."""
        image = {"type": {"S": lambda_.FilterRule.is_equal(kind)}}
        appended = {"eventName": lambda_.FilterRule.is_equal("INSERT"), "dynamodb": {"NewImage": image}}
        self._feed(function, batch_size, appended)

    def feed_changed(self, function: lambda_.Function, *, batch_size: int, window: Duration) -> None:
        """Feed *function* with all events as they are appended, and with items replaced or removed.

        A batch has what is appended within *window*. Items that expire are removed by DynamoDB itself, and no
        function needs them.
        """
        removed = lambda_.FilterRule.is_equal("REMOVE")
        self._feed(
            function,
            batch_size,
            {"eventName": lambda_.FilterRule.or_("INSERT", "MODIFY")},
            {"eventName": removed, "userIdentity": {"principalId": lambda_.FilterRule.not_exists()}},
            {"eventName": removed, "userIdentity": {"principalId": lambda_.FilterRule.not_equals(_EXPIRY)}},
            window=window,
        )

    def _feed(
        self,
        function: lambda_.Function,
        batch_size: int,
        *patterns: Mapping[str, Any],
        window: Duration | None = None,
    ) -> None:
        # Without a number of retries: a hundred may be spent in minutes, while something is being mended.
        source = DynamoEventSource(
            self._event_log.table,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            batch_size=batch_size,
            max_batching_window=window,
            filters=[lambda_.FilterCriteria.filter(pattern) for pattern in patterns],
            report_batch_item_failures=True,
            bisect_batch_on_error=True,
            max_record_age=_RECORD_AGE,
            on_failure=SqsDlq(self.end),
        )
        function.add_event_source(source)
        self._mappings.append(source.event_source_mapping_arn)
        for name, value in StreamSettings(failure_queue=self.given_up.queue_url).to_env().items():
            function.add_environment(name, value)

    def grant_examine(self, to: iam.IGrantable) -> None:
        """Let *to* tell whether functions are given the stream, and how much they gave up."""
        for actions, resources in (
            (["lambda:GetEventSourceMapping"], self._mappings),
            (["sqs:GetQueueAttributes"], [self.given_up.queue_arn]),
        ):
            to.grant_principal.add_to_principal_policy(
                iam.PolicyStatement(actions=actions, resources=resources)
            )

    def grant_redrive(self, to: iam.IGrantable) -> None:
        """Let *to* take what was given up out of the queue, and read records of the stream again."""
        for statement in (
            iam.PolicyStatement(
                actions=[
                    "sqs:ChangeMessageVisibility",
                    "sqs:DeleteMessage",
                    "sqs:GetQueueUrl",
                    "sqs:ReceiveMessage",
                ],
                resources=[self.given_up.queue_arn],
            ),
            iam.PolicyStatement(
                actions=["dynamodb:GetRecords", "dynamodb:GetShardIterator"],
                resources=[str(self._event_log.table.table_stream_arn)],
            ),
        ):
            to.grant_principal.add_to_principal_policy(statement)

    def keep_what_fails(self, function: lambda_.Function) -> None:
        """Keep events of the bus on which *function* failed, and events that never reached it."""
        function.configure_async_invoke(
            on_failure=destinations.SqsDestination(self.end), retry_attempts=2, max_event_age=_EVENT_AGE
        )
