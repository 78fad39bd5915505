"""The read model: what the aggregator derives from the event log."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from background_jobs.core.tables import HISTORY_FILTERED, HISTORY_INDEXES, HISTORY_SORT_KEY
from cdk.acknowledgements import acknowledge


class ReadModelTable(Construct):
    """Summaries, statuses and feeds; lost or wrong, they are folded from the log again."""

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
            time_to_live_attribute="expires_at",
            encryption_key=key,
            deletion_protection=keep_data,
            removal_policy=RemovalPolicy.RETAIN if keep_data else RemovalPolicy.DESTROY,
        )
        for name, partition in HISTORY_INDEXES.items():
            carried = HISTORY_FILTERED.get(name)
            kind = dynamodb.ProjectionType.INCLUDE if carried else dynamodb.ProjectionType.KEYS_ONLY
            self.table.add_global_secondary_index(
                index_name=name,
                partition_key=dynamodb.Attribute(name=partition, type=dynamodb.AttributeType.STRING),
                sort_key=dynamodb.Attribute(name=HISTORY_SORT_KEY, type=dynamodb.AttributeType.STRING),
                projection_type=kind,
                non_key_attributes=[carried] if carried else None,
            )
        acknowledge(self.table, "DDB3", "It is derived: `background-jobs rebuild` makes it from the log.")

    def grant_fold(self, to: iam.IGrantable) -> None:
        """Let *to* load and commit what it folded."""
        self._grant(to, "dynamodb:GetItem", "dynamodb:PutItem")

    def grant_read_summary(self, to: iam.IGrantable) -> None:
        """Let *to* read the summary of an orchestration whose id it knows."""
        self._grant(to, "dynamodb:GetItem")

    def grant_read_by_id(self, to: iam.IGrantable) -> None:
        """Let *to* read summaries and statuses of orchestrations whose ids it knows."""
        self._grant(to, "dynamodb:BatchGetItem", "dynamodb:GetItem")

    def grant_read(self, to: iam.IGrantable) -> None:
        """Let *to* read summaries, statuses and feeds, and the history."""
        self._grant(to, "dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query")
        indexes = [f"{self.table.table_arn}/index/{name}" for name in HISTORY_INDEXES]
        iam.Grant.add_to_principal(grantee=to, actions=["dynamodb:Query"], resource_arns=indexes)

    def _grant(self, to: iam.IGrantable, *actions: str) -> None:
        iam.Grant.add_to_principal(grantee=to, actions=list(actions), resource_arns=[self.table.table_arn])
