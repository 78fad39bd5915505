"""AWS in memory: moto behind every adapter, with the tables, the bucket and the bus of one environment."""

import os
from bisect import bisect
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from copy import copy, deepcopy
from functools import cache
from threading import RLock
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch
from uuid import UUID, uuid4

from botocore import endpoint
from botocore.auth import SigV4Auth
from botocore.client import BaseClient
from botocore.useragent import UserAgentString
from moto import mock_aws
from moto.backends import get_backend
from moto.core import models as moto_mock
from moto.core import responses as moto_responses
from moto.core.base_backend import BaseBackend
from moto.core.config import default_user_config
from moto.core.serialize import AttributePicker, AttributePickerContext, BaseJSONSerializer
from moto.core.utils import method_names_from_class
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table
from moto.s3.models import s3_backends

from background_jobs.aws import clients, service_models
from background_jobs.aws.connections import Connection
from background_jobs.aws.stores import Stores
from background_jobs.core.blocks import (
    Block,
    InstanceRange,
    cut_bodies,
    ranges_of_orchestration,
    ranges_of_share,
)
from background_jobs.core.errors import OrchestrationNotFound
from background_jobs.core.events import (
    ClaimAnnounced,
    Event,
    InstancesClaimed,
    JobAttemptFailed,
    JobCompleted,
    JobErrored,
    JobEvent,
    JobProgressed,
    JobStarted,
    OrchestrationStarted,
)
from background_jobs.core.given_up import UnreadableRecord
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
        clients.forget_clients()
        with _aws_made_faster(), mock_aws(), one_call_at_a_time(), kept_clients():
            create_all()
            yield
        clients.forget_clients()


@contextmanager
def one_call_at_a_time() -> Iterator[None]:
    """Let threads call in turn: moto copies a whole table for a transaction, which must not change meanwhile."""
    lock, call = RLock(), BaseClient._make_api_call  # type: ignore[attr-defined] # not in its stubs

    def call_alone(client: BaseClient, *args: Any) -> Any:
        with lock:
            return call(client, *args)

    with patch.object(BaseClient, "_make_api_call", call_alone):
        yield


@contextmanager
def kept_clients() -> Iterator[None]:
    """Use the clients of the tests before, for to make one takes as long as a dozen calls.

    Those on whose events a test has registered something are its own, as are those of other variables, and those
    that it makes after forgetting the first.
    """
    find, usual, left = clients._find_client, _aws_variables(), dict(_kept)

    def find_kept(service: str, connection: Connection | None) -> Any:
        if connection is not None or clients._made_to_be_forked or _aws_variables() != usual:
            return find(service, connection)
        if client := left.pop(service, None):
            return client
        client = find(service, None)
        if service not in _kept:
            _kept[service] = client
            for name in ("register", "register_first", "register_last", "unregister"):
                _drop_when_called(service, client.meta.events, name)
        return client

    with (
        patch.object(clients, "_find_client", find_kept),
        patch.object(service_models, "make_session", _session),
    ):
        yield


_kept: Final[dict[str, Any]] = {}
_session = cache(service_models.make_session)
_method_names = cache(method_names_from_class)


def _drop_when_called(service: str, events: Any, name: str) -> None:
    call = getattr(events, name)

    def drop_and_call(*args: Any, **kwargs: Any) -> Any:
        _kept.pop(service, None)
        return call(*args, **kwargs)

    setattr(events, name, drop_and_call)


def _aws_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "LOCALSTACK_"))}


@contextmanager
def _aws_made_faster() -> Iterator[None]:
    """Spare moto and botocore what takes most of the time of these tests, and changes nothing that is answered."""
    with ExitStack() as patches:
        for made_faster in (_start, _routes, _attributes, _queries, _transactions, _requests):
            patches.enter_context(made_faster())
        yield


@contextmanager
def _start() -> Iterator[None]:
    """Moto prepares a thousand addresses for `requests`, and makes boto3 forget what it has read of services."""
    with (
        patch.object(moto_mock, "RESPONSES_METHODS", ()),
        patch.dict(default_user_config["core"], reset_boto3_session=False),
    ):
        yield


@contextmanager
def _routes() -> Iterator[None]:
    """Moto lists its own methods, and all addresses of a service, at each call."""
    with (
        patch.object(moto_responses, "method_names_from_class", _method_names),
        patch.object(BaseBackend, "urls", property(_addresses)),
    ):
        yield


@contextmanager
def _attributes() -> Iterator[None]:
    """Moto looks for each of the ten types that an attribute may have under ten names, and at each for ten."""
    pick, serialize = AttributePicker.__call__, BaseJSONSerializer._serialize_type_structure

    def pick_directly(picker: AttributePicker, context: AttributePickerContext) -> Any:
        parent = getattr(context.shape, "parent", None)
        if parent is not None and parent.name == "AttributeValue" and isinstance(context.obj, dict):
            return context.obj.get(context.key)
        return pick(picker, context)

    def serialize_directly(
        serializer: BaseJSONSerializer, serialized: Any, value: Any, shape: Any, key: str
    ) -> None:
        match shape.name, value:
            case "AttributeValue", {"S": str(), **others} | {"N": str(), **others} if key and not others:
                serialized[key] = value
            case "AttributeValue", {"B": bytes(data) | str(data), **others} if key and not others:
                serialized[key] = {"B": serializer._base64(data)}
            case _:
                serialize(serializer, serialized, value, shape, key)

    with (
        patch.object(AttributePicker, "__call__", pick_directly),
        patch.object(BaseJSONSerializer, "_serialize_type_structure", serialize_directly),
    ):
        yield


@contextmanager
def _queries() -> Iterator[None]:
    """Moto sorts all items of a table for each query of one partition."""
    query = Table.query

    def query_partition(table: Table, hash_key: Any, *args: Any, **conditions: Any) -> Any:
        if args[_INDEX_NAME] is None:
            found = {hash_key: table.items[hash_key]} if hash_key in table.items else {}
            table = copy(table)
            table.items = defaultdict(dict, found)
        return query(table, hash_key, *args, **conditions)

    with patch.object(Table, "query", query_partition):
        yield


_INDEX_NAME: Final = 6
"""The place of the name of an index among what a query is told beside its hash key."""


@contextmanager
def _transactions() -> Iterator[None]:
    """Moto copies a table with all its items for each item of a transaction, though it replaces items whole."""
    transact = DynamoDBBackend.transact_write_items

    def copy_places(table: Table, _: Any) -> Table:
        copied = copy(table)
        copied.items = defaultdict(dict, {key: copy(items) for key, items in table.items.items()})
        copied.stream_shard = copy(table.stream_shard)
        if copied.stream_shard is not None:
            copied.stream_shard.items = list(copied.stream_shard.items)
        return copied

    def transact_without_copies(backend: DynamoDBBackend, actions: list[dict[str, Any]]) -> None:
        assert not any("Update" in action for action in actions), "moto updates items where they are"
        with patch.object(Table, "__deepcopy__", copy_places, create=True):
            transact(backend, actions)

    with patch.object(DynamoDBBackend, "transact_write_items", transact_without_copies):
        yield


@contextmanager
def _requests() -> Iterator[None]:
    """Botocore gives each request a number, its own name and a signature, at which moto does not look."""
    with (
        patch.object(endpoint, "uuid", SimpleNamespace(uuid4=lambda: UUID(int=0))),
        patch.object(UserAgentString, "to_string", lambda _: "botocore in tests"),
        patch.object(SigV4Auth, "canonical_request", lambda _auth, _request: ""),
        patch.object(SigV4Auth, "signature", lambda _auth, _text, _request: "0" * 64),
    ):
        yield


_addresses_of: Final[dict[type[BaseBackend], Any]] = {}
_find_addresses: Final[Any] = BaseBackend.urls


def _addresses(backend: BaseBackend) -> Any:
    found = _addresses_of.get(type(backend))
    return found or _addresses_of.setdefault(type(backend), _find_addresses.fget(backend))


def append_events(stores: Stores, *events: Event, service: str = SETTINGS.service) -> None:
    """Append *events*, all of one orchestration: those of instances in one block for each of its ranges."""
    of_instances: list[JobEvent] = []
    for event in events:
        match event:
            case OrchestrationStarted():
                stores.event_log.append_kick_off(event)
            case (
                JobStarted()
                | JobAttemptFailed()
                | JobProgressed()
                | JobCompleted()
                | JobErrored()
                | ClaimAnnounced()
                | InstancesClaimed()
            ):
                of_instances.append(event)
            case _:
                stores.event_log.for_service(service).append(event)
    by_range: dict[InstanceRange, list[JobEvent]] = {}
    ranges = _ranges(stores, service, of_instances[0].orchestration_id) if of_instances else []
    for job_event in of_instances:
        place = bisect(ranges, job_event.index, key=lambda instances: instances.first) - 1
        by_range.setdefault(ranges[place], []).append(job_event)
    for instances, batch in by_range.items():
        next_number = len(stores.block_log.read(instances))
        for sequence, body in enumerate(cut_bodies(batch), start=next_number):
            holder = stores.block_log.append(Block(instances, sequence, 0, f"test {uuid4()}", body))
            assert holder is None


def expect_no_unreadable(record: UnreadableRecord) -> None:
    """Stand for the failure queue where a test writes nothing that cannot be read."""
    raise AssertionError(record)


def _ranges(stores: Stores, service: str, orchestration_id: str) -> list[InstanceRange]:
    """Return the ranges of the shares, or one for each of some partitions where nothing was kicked off."""
    try:
        started = stores.event_log.for_service(service).read_started(orchestration_id)
    except OrchestrationNotFound:
        return list(ranges_of_share(service, orchestration_id, 0, 10_000 - 1))
    return list(ranges_of_orchestration(service, orchestration_id, started.total, started.parallelism))


def create_all() -> None:
    """Create what SETTINGS name, where nothing is yet: by calls once, and from then on as a copy."""
    if not _created:
        _create()
        _created.update(deepcopy({place: vars(_state(*place)) for place in _PLACES}))
        return
    for place, state in deepcopy(_created).items():
        vars(_state(*place)).update(state)
    s3_backends.bucket_accounts[SETTINGS.payload_bucket] = ("aws", moto_mock.DEFAULT_ACCOUNT_ID)


_PLACES: Final = (
    ("dynamodb", "eu-central-1"),
    ("s3", "aws"),
    ("events", "eu-central-1"),
    ("scheduler", "eu-central-1"),
)
_created: Final[dict[tuple[str, str], dict[str, Any]]] = {}


def _state(service: Any, region: str) -> Any:
    return get_backend(service)[moto_mock.DEFAULT_ACCOUNT_ID][region]


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
