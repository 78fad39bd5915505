"""The event log: an append-only table, and its stream."""

from typing import Final

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.tables import grant_actions, make_table
from background_jobs.core.events import log_partition
from background_jobs.core.tables import EVENT_LOG

_OWNERS: Final = "ORCHESTRATION#*"


class EventLogTable(Construct):
    """The only source of truth. What may be granted is to append and to read, nothing else.

    IAM cannot tell a put on the condition that the key is free from one that replaces an item; the stream
    tells of those that do.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, config: EnvironmentConfig, key: kms.IKey | None
    ) -> None:
        super().__init__(scope, construct_id)
        self.table = make_table(
            self,
            EVENT_LOG,
            config=config,
            name=config.event_log_table_name,
            key=key,
            recovery=dynamodb.PointInTimeRecoverySpecification(point_in_time_recovery_enabled=True),
        )

    def grant_append(self, to: iam.IGrantable) -> None:
        """Let *to* put new events, and read the one that already has the key of a new one."""
        grant_actions(self.table, to, "PutItem", "GetItem")

    def grant_read(self, to: iam.IGrantable) -> None:
        """Let *to* read events."""
        grant_actions(self.table, to, "GetItem", "Query")

    def grant_work(self, to: iam.IGrantable, service: str) -> None:
        """Let *to* append and read events of *service*, and none of any other."""
        self._grant_within(to, log_partition(service, "*"))

    def grant_call(self, to: iam.IGrantable, service: str) -> None:
        """Let *to* do the same, and make and read the items that say to which service an id belongs."""
        # In one statement, for a kick-off is one request with a key of each kind.
        self._grant_within(to, log_partition(service, "*"), _OWNERS)

    def grant_start(self, to: iam.IGrantable, service: str | None) -> None:
        """Let *to* append events of *service*, or of all, without reading any."""
        self._grant(to, service, "PutItem")

    def grant_follow(self, to: iam.IGrantable, service: str | None) -> None:
        """Let *to* read events of *service*, or of all."""
        self._grant(to, service, "GetItem", "Query")

    def _grant_within(self, to: iam.IGrantable, *partitions: str) -> None:
        grant_actions(self.table, to, "PutItem", "GetItem", "Query", partitions=partitions)

    def _grant(self, to: iam.IGrantable, service: str | None, *actions: str) -> None:
        partitions = () if service is None else (log_partition(service, "*"), _OWNERS)
        grant_actions(self.table, to, *actions, partitions=partitions)
