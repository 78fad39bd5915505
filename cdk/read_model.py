"""The read model: what the aggregator derives from the event log."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from constructs import Construct

from background_jobs.core import naming


class ReadModelTable(Construct):
    """Summaries, statuses and feeds; lost or wrong, they are folded from the log again."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self.table = dynamodb.Table(
            self,
            "Table",
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute="expires_at",
            removal_policy=RemovalPolicy.DESTROY,
        )

        for name, partition in naming.HISTORY_INDEXES.items():
            carried = naming.HISTORY_FILTERED.get(name)
            kind = dynamodb.ProjectionType.INCLUDE if carried else dynamodb.ProjectionType.KEYS_ONLY
            self.table.add_global_secondary_index(
                index_name=name,
                partition_key=dynamodb.Attribute(name=partition, type=dynamodb.AttributeType.STRING),
                sort_key=dynamodb.Attribute(name=naming.HISTORY_SORT_KEY, type=dynamodb.AttributeType.STRING),
                projection_type=kind,
                non_key_attributes=[carried] if carried else None,
            )

    def grant_fold(self, to: iam.IGrantable) -> None:
        """Let *to* load and commit what it folded."""
        self.table.grant(to, "dynamodb:GetItem", "dynamodb:PutItem")

    def grant_read(self, to: iam.IGrantable) -> None:
        """Let *to* read summaries, statuses and feeds, and the history."""
        self.table.grant(to, "dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query")
