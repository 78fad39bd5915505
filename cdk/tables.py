"""DynamoDB tables made from their schemas, and grants on them."""

from collections.abc import Iterable

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from background_jobs.core.tables import IndexSchema, TableSchema


def make_table(
    scope: Construct,
    schema: TableSchema,
    *,
    keep_data: bool,
    key: kms.IKey | None,
    recovery: dynamodb.PointInTimeRecoverySpecification | None = None,
) -> dynamodb.Table:
    """Make the table of *schema*, encrypted under *key*; *keep_data* protects it from deletion."""
    table = dynamodb.Table(
        scope,
        "Table",
        partition_key=_string(schema.partition_key),
        sort_key=_string(schema.sort_key),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        stream=dynamodb.StreamViewType[schema.stream_view] if schema.stream_view else None,
        time_to_live_attribute=schema.time_to_live,
        point_in_time_recovery_specification=recovery,
        encryption_key=key,
        deletion_protection=keep_data,
        removal_policy=RemovalPolicy.RETAIN if keep_data else RemovalPolicy.DESTROY,
    )
    for index in schema.indexes:
        _add_index(table, index)
    return table


def grant_actions(
    table: dynamodb.Table, to: iam.IGrantable, *actions: str, indexes: Iterable[str] = ()
) -> None:
    """Let *to* do *actions* (``GetItem``) on *table*, or on its *indexes* alone where some are named."""
    arns = [f"{table.table_arn}/index/{name}" for name in indexes] or [table.table_arn]
    iam.Grant.add_to_principal(
        grantee=to, actions=[f"dynamodb:{action}" for action in actions], resource_arns=arns
    )


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
