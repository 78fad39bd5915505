"""AWS in memory: moto behind every adapter, with the tables and the bucket of one stage."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto import mock_aws

from background_jobs import OrchestrationService
from background_jobs.aws import clients
from background_jobs.aws.event_bus import EventBus
from background_jobs.aws.rooms import Rooms
from background_jobs.control_plane.aggregate import Aggregator
from background_jobs.control_plane.stream import handle_records
from background_jobs.core.naming import (
    HISTORY_FILTERED,
    HISTORY_INDEXES,
    HISTORY_SORT_KEY,
    schedule_group,
)
from background_jobs.jobs import Jobs
from background_jobs.orchestration_service import Orchestration
from background_jobs.settings import ContainerSettings, Settings
from background_jobs.worker.beacon import Beacon
from background_jobs.worker.container import Container
from tests.adapters.jobs import halve
from tests.unit.histories import at

SETTINGS = Settings(
    stage="test",
    event_log_table="event-log",
    read_model_table="read-model",
    payload_bucket="payloads",
    event_bus="background-jobs",
    max_parallelism=100,
    schedule_function="arn:aws:lambda:eu-central-1:123456789012:function:kick-off-job",
    schedule_role="arn:aws:iam::123456789012:role/scheduler",
    schedule_failures="arn:aws:sqs:eu-central-1:123456789012:failures",
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
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": [HISTORY_FILTERED[name]]}
                if name in HISTORY_FILTERED
                else {"ProjectionType": "KEYS_ONLY"},
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
        clients.scheduler().create_schedule_group(Name=schedule_group(SETTINGS.stage))
        yield
    clients._client.cache_clear()


@pytest.fixture
def settings() -> Settings:
    return SETTINGS


@pytest.fixture
def rooms(settings: Settings) -> Rooms:
    return Rooms.of(settings)


@pytest.fixture
def service(settings: Settings) -> OrchestrationService:
    return OrchestrationService(settings)


@pytest.fixture
def launch(rooms: Rooms) -> Callable[..., None]:
    """Launch a container for one share, as the state machine does."""

    def launch(orchestration: Orchestration, share: int = 0, jobs: Jobs | None = None) -> None:
        started = rooms.event_log.started(orchestration.id)
        line = json.loads(list(rooms.payloads.lines(started.shares_key))[share])
        environment = {
            "JOB_NAME": started.job_name,
            "ORCHESTRATION_ID": orchestration.id,
            "JOB_ID": line["job_id"],
            "JOB_SHARE": line["share"],
            "JOB_INDICES": line["indices"],
            "JOB_PARAMS_KEY": started.params_key,
            "JOB_PARAMS_BYTES": line["bytes"],
        }
        Container(jobs or Jobs([halve]), ContainerSettings.from_env(environment), rooms, Beacon()).work()

    return launch


@pytest.fixture
def aggregate(rooms: Rooms, settings: Settings) -> Callable[[], list[dict[str, Any]]]:
    """Deliver the whole log to the aggregator, as the stream does; return what it asks to have again."""
    bus = EventBus(clients.events(), settings.event_bus)
    aggregator = Aggregator(rooms.event_log, rooms.read_model, bus, clock=lambda: at(0))

    def aggregate() -> list[dict[str, Any]]:
        items = clients.dynamodb().scan(TableName=settings.event_log_table)["Items"]
        records = [
            {"eventName": "INSERT", "dynamodb": {"SequenceNumber": str(number), "NewImage": item}}
            for number, item in enumerate(items)
        ]
        return list(handle_records(records, aggregator.aggregate)["batchItemFailures"])

    return aggregate
