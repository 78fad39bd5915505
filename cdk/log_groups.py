"""The log groups of an environment, which have the same retention and key."""

from dataclasses import dataclass

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from background_jobs.cdk.config import LOG_RETENTIONS


@dataclass(frozen=True, slots=True)
class LogGroups:
    """Makes log groups with the same retention, and under the same key if there is one."""

    days: int
    key: kms.IKey | None

    def vended_group(self, scope: Construct, construct_id: str, kind: str) -> logs.LogGroup:
        """Make the log group of a service of AWS that writes it itself: of *kind* ``states`` or ``apis``.

        Under this prefix, the account's one policy for such logs, which has 5,120 characters, does not grow
        with every log group. Source: AWS Step Functions Developer Guide, "Avoiding Amazon CloudWatch Logs
        resource policy size restrictions".
        """
        return self.group(scope, construct_id, name=f"/aws/vendedlogs/{kind}/{Stack.of(scope).stack_name}")

    def group(self, scope: Construct, construct_id: str, *, name: str | None = None) -> logs.LogGroup:
        """Make a log group; it is deleted with the stack."""
        return logs.LogGroup(
            scope,
            construct_id,
            log_group_name=name,
            retention=logs.RetentionDays[LOG_RETENTIONS[self.days]],
            removal_policy=RemovalPolicy.DESTROY,
            encryption_key=self.key,
        )
