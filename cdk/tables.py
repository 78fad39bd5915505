"""DynamoDB tables made from their schemas, and grants on them."""

from collections.abc import Iterable, Sequence
from typing import Any

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.removal import removal_policy
from background_jobs.core.tables import IndexSchema, TableSchema


def make_table(  # noqa: PLR0913 -- what differs between tables
    scope: Construct,
    schema: TableSchema,
    *,
    config: EnvironmentConfig,
    name: str | None,
    key: kms.IKey | None,
    recovery: dynamodb.PointInTimeRecoverySpecification | None = None,
) -> dynamodb.Table:
    """Make the table of *schema* as *config* has it, encrypted under *key*.

    Without a *name*, CloudFormation makes one.
    """
    warm = config.warm_throughput
    table = dynamodb.Table(
        scope,
        "Table",
        table_name=name,
        partition_key=_string(schema.partition_key),
        sort_key=_string(schema.sort_key),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        stream=dynamodb.StreamViewType[schema.stream_view] if schema.stream_view else None,
        time_to_live_attribute=schema.time_to_live,
        point_in_time_recovery_specification=recovery,
        warm_throughput=dynamodb.WarmThroughput(write_units_per_second=warm) if warm else None,
        encryption_key=key,
        deletion_protection=config.deletion_protection,
        removal_policy=removal_policy(keep_data=config.keep_data),
    )
    for index in schema.indexes:
        _add_index(table, index)
    return table


def grant_actions(
    table: dynamodb.Table,
    to: iam.IGrantable,
    *actions: str,
    indexes: Iterable[str] = (),
    partitions: Sequence[str] = (),
) -> None:
    """Let *to* do *actions* (``GetItem``) on *table*, or on its *indexes* alone where some are named.

    *partitions* are patterns of partition keys (``billing#*``); where there are some, no others are allowed.
    """
    arns = [f"{table.table_arn}/index/{name}" for name in indexes] or [table.table_arn]
    iam.Grant.add_to_principal(
        grantee=to,
        actions=[f"dynamodb:{action}" for action in actions],
        resource_arns=arns,
        conditions=_within(partitions) if partitions else None,
    )


def _within(partitions: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the conditions of a request whose partition keys all match one of *partitions*.

    `ForAllValues` alone is also true of a request without a key (a Scan, for one), so there must be one.
    """
    keys = "dynamodb:LeadingKeys"
    return {"ForAllValues:StringLike": {keys: list(partitions)}, "Null": {keys: "false"}}


def _add_index(table: dynamodb.Table, index: IndexSchema) -> None:
    kind = dynamodb.ProjectionType.INCLUDE if index.carried else dynamodb.ProjectionType.KEYS_ONLY
    table.add_global_secondary_index(
        index_name=index.name,
        partition_key=_string(index.partition_key),
        sort_key=_string(index.sort_key),
        projection_type=kind,
        non_key_attributes=list(index.carried) or None,
    )


def _string(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
