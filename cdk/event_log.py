"""The event log: an append-only table, and its stream."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct


class EventLogTable(Construct):
    """The only source of truth. What may be granted is to append and to read, nothing else."""

    def __init__(
        self, scope: Construct, construct_id: str, *, keep_data: bool, key: kms.IKey | None = None
    ) -> None:
        super().__init__(scope, construct_id)
        self.table = dynamodb.Table(
            self,
            "Table",
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            stream=dynamodb.StreamViewType.NEW_IMAGE,
            time_to_live_attribute="expires_at",
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            encryption_key=key,
            deletion_protection=keep_data,
            removal_policy=RemovalPolicy.RETAIN if keep_data else RemovalPolicy.DESTROY,
        )

    def grant_append(self, to: iam.IGrantable) -> None:
        """Let *to* put new events, and look at one that holds its place already."""
        self._grant(to, "dynamodb:PutItem", "dynamodb:GetItem")

    def grant_read(self, to: iam.IGrantable) -> None:
        """Let *to* read events."""
        self._grant(to, "dynamodb:GetItem", "dynamodb:Query")

    def _grant(self, to: iam.IGrantable, *actions: str) -> None:
        iam.Grant.add_to_principal(grantee=to, actions=list(actions), resource_arns=[self.table.table_arn])
