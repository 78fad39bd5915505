"""AWS in memory: moto behind every adapter, with the tables and the bucket of one stage."""

from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from background_jobs.aws import clients
from background_jobs.aws.rooms import Rooms
from background_jobs.core.naming import HISTORY_ATTRIBUTES, HISTORY_INDEXES, HISTORY_SORT_KEY
from background_jobs.settings import Settings

SETTINGS = Settings(
    stage="test",
    event_log_table="event-log",
    read_model_table="read-model",
    payload_bucket="payloads",
    event_bus="background-jobs",
    max_parallelism=100,
)


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    clients._client.cache_clear()
    with mock_aws():
        history: Any = [
            {
                "IndexName": name,
                "KeySchema": [
                    {"AttributeName": partition, "KeyType": "HASH"},
                    {"AttributeName": HISTORY_SORT_KEY, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(HISTORY_ATTRIBUTES)},
            }
            for name, partition in HISTORY_INDEXES.items()
        ]
        for table, indexes in ((SETTINGS.event_log_table, []), (SETTINGS.read_model_table, history)):
            keys = ["pk", "sk", *([*HISTORY_INDEXES.values(), HISTORY_SORT_KEY] if indexes else [])]
            options: Any = {"GlobalSecondaryIndexes": indexes} if indexes else {}
            clients.dynamodb().create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
                **options,
            )
        clients.s3().create_bucket(
            Bucket=SETTINGS.payload_bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        clients.events().create_event_bus(Name=SETTINGS.event_bus)
        yield
    clients._client.cache_clear()


@pytest.fixture
def settings() -> Settings:
    return SETTINGS


@pytest.fixture
def rooms(settings: Settings) -> Rooms:
    return Rooms.of(settings)
