"""The read model: what the aggregator derives from the event log."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from background_jobs.cdk.acknowledgements import acknowledge
from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.tables import grant_actions, make_table
from background_jobs.core.events import log_partition
from background_jobs.core.tables import READ_MODEL


class ReadModelTable(Construct):
    """Summaries, statuses and feeds; lost or wrong, they are folded from the log again."""

    def __init__(
        self, scope: Construct, construct_id: str, *, config: EnvironmentConfig, key: kms.IKey | None
    ) -> None:
        super().__init__(scope, construct_id)
        self.table = make_table(self, READ_MODEL, config=config, name=config.read_model_table_name, key=key)
        acknowledge(self.table, "DDB3", "It is derived: `background-jobs rebuild` makes it from the log.")

    def grant_fold(self, to: iam.IGrantable) -> None:
        """Let *to* load and commit what it folded."""
        grant_actions(self.table, to, "GetItem", "PutItem")

    def grant_read_summary(self, to: iam.IGrantable) -> None:
        """Let *to* read the summary of an orchestration whose id it knows."""
        grant_actions(self.table, to, "GetItem")

    def grant_read_by_id(self, to: iam.IGrantable) -> None:
        """Let *to* read summaries and statuses of orchestrations whose ids it knows."""
        grant_actions(self.table, to, "BatchGetItem", "GetItem")

    def grant_read_service(self, to: iam.IGrantable, service: str) -> None:
        """Let *to* read summaries, statuses and feeds of *service*; the history has those of all services."""
        partitions = (log_partition(service, "*"),)
        grant_actions(self.table, to, "GetItem", "Query", partitions=partitions)

    def grant_read(self, to: iam.IGrantable) -> None:
        """Let *to* read summaries, statuses and feeds, and the history."""
        grant_actions(self.table, to, "BatchGetItem", "GetItem", "Query")
        grant_actions(self.table, to, "Query", indexes=(index.name for index in READ_MODEL.indexes))
