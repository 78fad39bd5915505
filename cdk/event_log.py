"""The event log: an append-only table, and its stream."""

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from background_jobs.core.tables import EVENT_LOG
from cdk.tables import grant_actions, make_table


class EventLogTable(Construct):
    """The only source of truth. What may be granted is to append and to read, nothing else."""

    def __init__(
        self, scope: Construct, construct_id: str, *, keep_data: bool, key: kms.IKey | None = None
    ) -> None:
        super().__init__(scope, construct_id)
        recovery = dynamodb.PointInTimeRecoverySpecification(point_in_time_recovery_enabled=True)
        self.table = make_table(self, EVENT_LOG, keep_data=keep_data, key=key, recovery=recovery)

    def grant_append(self, to: iam.IGrantable) -> None:
        """Let *to* put new events, and read the one that already has the key of a new one."""
        grant_actions(self.table, to, "PutItem", "GetItem")

    def grant_read(self, to: iam.IGrantable) -> None:
        """Let *to* read events."""
        grant_actions(self.table, to, "GetItem", "Query")
