"""AWS in memory: moto behind every adapter, with the tables, the bucket and the bus of one environment."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from moto import mock_aws

from background_jobs.aws import clients
from background_jobs.core.schedules.definition import schedule_group
from background_jobs.core.tables import EVENT_LOG, READ_MODEL, TableSchema
from background_jobs.settings import Settings

SETTINGS = Settings(
    environment="test",
    event_log_table="event-log",
    read_model_table="read-model",
    payload_bucket="payloads",
    event_bus="background-jobs",
    max_parallelism=100,
    schedule_function="arn:aws:lambda:eu-central-1:123456789012:function:kick-off-job",
    schedule_role="arn:aws:iam::123456789012:role/scheduler",
    schedule_failures="arn:aws:sqs:eu-central-1:123456789012:failures",
)
_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "eu-central-1",
}


@contextmanager
def aws_in_memory() -> Iterator[None]:
    """Put what SETTINGS name in the place of AWS, for this process."""
    others = {name: value for name, value in os.environ.items() if name != "AWS_ENDPOINT_URL"}
    with patch.dict(os.environ, others | _ENVIRONMENT, clear=True):
        clients._client.cache_clear()
        with mock_aws():
            _create()
            yield
        clients._client.cache_clear()


def _create() -> None:
    _create_table(SETTINGS.event_log_table, EVENT_LOG)
    _create_table(SETTINGS.read_model_table, READ_MODEL)
    clients.s3().create_bucket(
        Bucket=SETTINGS.payload_bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    clients.events().create_event_bus(Name=SETTINGS.event_bus)
    clients.scheduler().create_schedule_group(Name=schedule_group(SETTINGS.environment))


def _create_table(name: str, schema: TableSchema) -> None:
    indexes: Any = [
        {
            "IndexName": index.name,
            "KeySchema": _key_schema(index.partition_key, index.sort_key),
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(index.carried)}
            if index.carried
            else {"ProjectionType": "KEYS_ONLY"},
        }
        for index in schema.indexes
    ]
    clients.dynamodb().create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=_key_schema(schema.partition_key, schema.sort_key),
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in schema.key_attributes],
        **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
    )


def _key_schema(partition_key: str, sort_key: str) -> Any:
    return [
        {"AttributeName": partition_key, "KeyType": "HASH"},
        {"AttributeName": sort_key, "KeyType": "RANGE"},
    ]
