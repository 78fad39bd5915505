"""The log groups of an environment, which have the same retention and key."""

from dataclasses import dataclass

from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from cdk.config import LOG_RETENTIONS


@dataclass(frozen=True, slots=True)
class LogGroups:
    """Makes log groups with the same retention, and under the same key if there is one."""

    days: int
    key: kms.IKey | None

    def group(self, scope: Construct, construct_id: str) -> logs.LogGroup:
        """Make a log group; it is deleted with the stack."""
        return logs.LogGroup(
            scope,
            construct_id,
            retention=logs.RetentionDays[LOG_RETENTIONS[self.days]],
            removal_policy=RemovalPolicy.DESTROY,
            encryption_key=self.key,
        )
