"""All AWS clients are made here, with their endpoints, retries and time-outs."""

import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import IO, TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, cast
from urllib.parse import urlsplit

from background_jobs.aws.clock import clock
from background_jobs.aws.connections import Connection
from background_jobs.aws.localstack_host import endpoint_of
from background_jobs.core.errors import InvalidSettings, JobsNotLoaded, ServiceUnreachable
from background_jobs.core.limits import UPLOAD_PART_BYTES
from background_jobs.core.wording import as_sentence
from background_jobs.garbage import without_collecting_garbage

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient

OTHER_STACK: Final = "OtherOfflineStack"
"""The code of the error by which an offline stack refuses the callers of one that has ended."""
JOBS_NOT_LOADED: Final = "JobsNotLoaded"
"""The code of the error by which an offline stack tells that edited jobs cannot be loaded."""
_ABSENT: Final = frozenset({"ResourceNotFoundException", "NoSuchBucket"})
_DELETED: Final = (
    "What the settings name is not there: its stack was deleted, and then nothing ends what still ran; or "
    "the credentials and the region are not those of the environment. `background-jobs doctor` looks into it."
)

_PATIENCE: Final[dict[str, Any]] = {
    "retries": {"mode": "standard", "total_max_attempts": 5},
    "connect_timeout": 5,
    "read_timeout": 60,
    "max_pool_connections": 32,
}
_EMULATOR_REGION: Final = "us-east-1"
_EMULATOR_CREDENTIALS: Final = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})

_P = ParamSpec("_P")
_R = TypeVar("_R")
_C = TypeVar("_C")


_made_to_be_forked: Final[dict[str, Any]] = {}
"""Clients that no process has used yet, so that each fork of this one may use its copy."""


_stand_ins: Final[list[Mapping[str, Any]]] = []
"""What stands for the clients of AWS while a test has a twin of the service open; the last one counts."""


_clients: Final[dict[tuple[str, Connection | None], Any]] = {}
"""The clients of this process, by service and by where it is; None is where the variables say."""


def _client(service: str, connection: Connection | None = None) -> Any:  # noqa: ANN401 -- each caller below names its client's type
    if _stand_ins and connection is None:
        return _stand_ins[-1][service]
    client = _clients.get((service, connection))
    if client is None:
        client = _clients.setdefault((service, connection), _find_client(service, connection))
    return client


def _find_client(service: str, connection: Connection | None) -> Any:  # noqa: ANN401 -- the same
    if connection is not None:
        return connection.connect(service, _PATIENCE)
    client = _made_to_be_forked.pop(service, None) or _make_client(service)
    clock.attach(client)
    return client


def _make_client(service: str) -> Any:  # noqa: ANN401 -- the same
    # botocore takes a tenth of a second to import: only those who call AWS pay for it. What boto3 adds to it,
    # only `upload_file` needs.
    with without_collecting_garbage():
        from botocore.config import Config

        from background_jobs.aws.service_models import make_session

        config = Config(**_PATIENCE)
        session = make_session()
        if endpoint := _emulator_endpoint():
            return _client_of_emulator(session, service, endpoint, config)
        return session.create_client(service, config=config)


# Processes that share a connection read each other's answers, so a forked one makes clients of its own.
os.register_at_fork(after_in_child=_clients.clear)


def make_to_be_forked() -> None:
    """Make the clients of containers for processes that are forked from this one; nothing is called.

    A client takes some 100 ms to make, and a copy of one that was not used has no connection to share.
    """
    from background_jobs.aws.priming import prime

    for service in ("dynamodb", "s3"):
        client = _make_client(service)
        prime(client)
        _made_to_be_forked[service] = client


def forget_clients() -> None:
    """Have clients made anew when they are used next, by the variables of that time."""
    for key in list(_clients):
        _close(key)


def disconnect(connection: Connection) -> None:
    """Close the clients of *connection*, and forget them."""
    for key in list(_clients):
        if key[1] == connection:
            _close(key)


def _close(key: tuple[str, Connection | None]) -> None:
    client = _clients.pop(key, None)
    if client is not None:
        client.close()


@contextmanager
def standing_in(clients: Mapping[str, Any]) -> Iterator[None]:
    """Have *clients*, by the names that boto3 has for them, stand for those of AWS within the context."""
    _stand_ins.append(clients)
    try:
        yield
    finally:
        _stand_ins.pop()


class _ClientOfProcess:
    """Stands for the client of the process that uses it, whichever process made this object."""

    __slots__ = ("_client",)

    def __init__(self, client: Callable[[], object]) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever the client has
        if name.startswith("_"):  # such as pickle and copy look for before there is a client
            raise AttributeError(name)
        return getattr(self._client(), name)


def of_each_process(client: Callable[[], _C]) -> _C:
    """Return *client*, a function of this module, as one client that may be used before and after a fork.

    It is made when it is used first.
    """
    return cast("_C", _ClientOfProcess(client))


def _client_of_emulator(session: Any, service: str, endpoint: str, config: Any) -> Any:  # noqa: ANN401 -- botocore
    """Return a client that needs no account: an emulator takes any region and credentials."""
    own = session.get_service_model(service).service_id.upper().replace(" ", "_")
    if os.environ.get(f"AWS_ENDPOINT_URL_{own}"):
        return session.create_client(service, config=config)
    region = None if session.get_config_variable("region") else _EMULATOR_REGION
    credentials = {} if session.get_credentials() else _EMULATOR_CREDENTIALS
    return session.create_client(service, region, endpoint_url=endpoint, config=config, **credentials)


def _emulator_endpoint() -> str | None:
    """Return the endpoint of LOCALSTACK_HOST; None where there is none, or AWS_ENDPOINT_URL says another."""
    environ = os.environ
    host = environ.get("LOCALSTACK_HOST", "")
    if not host or environ.get("AWS_ENDPOINT_URL"):
        return None
    try:
        return endpoint_of(host, use_ssl=environ.get("USE_SSL") in ("1", "true"))
    except ValueError as wrong:
        raise InvalidSettings("LOCALSTACK_HOST", host, str(wrong)) from None


def dynamodb(connection: Connection | None = None) -> "DynamoDBClient":
    """Return this process's client of DynamoDB."""
    return cast("DynamoDBClient", _client("dynamodb", connection))


def s3(connection: Connection | None = None) -> "S3Client":
    """Return this process's client of S3."""
    return cast("S3Client", _client("s3", connection))


def events() -> "EventBridgeClient":
    """Return this process's client of EventBridge."""
    return cast("EventBridgeClient", _client("events"))


def stepfunctions() -> "SFNClient":
    """Return this process's client of Step Functions."""
    return cast("SFNClient", _client("stepfunctions"))


def ecs() -> "ECSClient":
    """Return this process's client of ECS."""
    return cast("ECSClient", _client("ecs"))


def logs(connection: Connection | None = None) -> "CloudWatchLogsClient":
    """Return this process's client of CloudWatch Logs."""
    return cast("CloudWatchLogsClient", _client("logs", connection))


def region() -> str:
    """Return the region of this process; empty where it has none."""
    return str(logs().meta.region_name or "")


def scheduler(connection: Connection | None = None) -> "EventBridgeSchedulerClient":
    """Return this process's client of EventBridge Scheduler."""
    return cast("EventBridgeSchedulerClient", _client("scheduler", connection))


def sqs() -> "SQSClient":
    """Return this process's client of SQS."""
    return cast("SQSClient", _client("sqs"))


def cloudformation() -> "CloudFormationClient":
    """Return this process's client of CloudFormation."""
    return cast("CloudFormationClient", _client("cloudformation"))


def client_without_types(service: str) -> Any:  # noqa: ANN401 -- its types are not installed
    """Return this process's client of *service*, by the name that boto3 has for it."""
    return _client(service)


def on_emulator() -> bool:
    """Tell whether something on a machine of ours stands for AWS."""
    return bool(os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("LOCALSTACK_HOST"))


def upload_file(client: "S3Client", file: IO[bytes], bucket: str, key: str, *, threads: bool = True) -> None:
    """Store *file*, from its start, in S3; beyond 8 MB in parts, with *threads* or without."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    # What uploads parts takes longer to import than a small file to store.
    if size <= UPLOAD_PART_BYTES or _stand_ins:
        client.put_object(Bucket=bucket, Key=key, Body=file.read())
        return
    from boto3.s3.inject import upload_fileobj
    from boto3.s3.transfer import TransferConfig

    config = TransferConfig(UPLOAD_PART_BYTES, multipart_chunksize=UPLOAD_PART_BYTES, use_threads=threads)
    upload_fileobj(client, file, bucket, key, Config=config)


def functions() -> Any:  # noqa: ANN401 -- its types are not installed
    """Return this process's client of Lambda."""
    return _client("lambda")


def dynamodb_streams() -> Any:  # noqa: ANN401 -- its types are not installed
    """Return this process's client of the streams of DynamoDB."""
    return _client("dynamodbstreams")


def signed_headers(method: str, url: str, body: bytes) -> dict[str, str]:
    """Return the headers that sign a request to API Gateway (SigV4). Raises ServiceUnreachable."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    from background_jobs.aws.service_models import make_session

    session = make_session()
    credentials = session.get_credentials()
    if credentials is None:
        raise ServiceUnreachable("There are no AWS credentials. Set AWS_PROFILE or AWS_ACCESS_KEY_ID.")
    request = AWSRequest(method, url, data=body)
    SigV4Auth(credentials, "execute-api", session.get_config_variable("region")).add_auth(request)
    return dict(request.headers.items())


def reaching_aws(call: Callable[_P, _R]) -> Callable[_P, _R]:
    """Decorate a method that calls AWS, so that not reaching it raises ServiceUnreachable."""

    @wraps(call)
    def call_aws(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with _explained():
            return call(*args, **kwargs)

    @wraps(call)
    def iterate(*args: _P.args, **kwargs: _P.kwargs) -> Iterator[Any]:
        with _explained():
            yield from cast("Iterator[Any]", call(*args, **kwargs))

    return cast("Callable[_P, _R]", iterate) if inspect.isgeneratorfunction(call) else call_aws


@contextmanager
def _explained() -> Iterator[None]:
    from botocore.exceptions import (
        ClientError,
        ConnectionError,  # noqa: A004 -- the name of botocore
        HTTPClientError,
        IncompleteReadError,
        NoCredentialsError,
    )

    try:
        yield
    except (ConnectionError, HTTPClientError, IncompleteReadError) as unreachable:
        raise ServiceUnreachable(
            f"{as_sentence(str(unreachable))} Check AWS_ENDPOINT_URL and the network; an offline stack "
            "may have ended: run under `background-jobs local run`, or bring another up with "
            "`background-jobs local up`."
        ) from (None if _is_local(unreachable) else unreachable)
    except NoCredentialsError as absent:
        raise ServiceUnreachable(
            "There are no AWS credentials. Set AWS_PROFILE or AWS_ACCESS_KEY_ID; offline, "
            "run under `background-jobs local run`."
        ) from absent
    except ClientError as refused:
        code = refused.response["Error"].get("Code")
        if code in _ABSENT:
            raise ServiceUnreachable(f"{as_sentence(str(refused))} {_DELETED}") from refused
        if code == JOBS_NOT_LOADED:
            raise JobsNotLoaded(refused.response["Error"]["Message"]) from None
        if code != OTHER_STACK:
            raise
        raise ServiceUnreachable(refused.response["Error"]["Message"]) from None


def _is_local(unreachable: Exception) -> bool:
    """Tell whether an emulator could not be reached, of which the frames of clients tell no more."""
    endpoint = getattr(unreachable, "kwargs", {}).get("endpoint_url", "")
    return on_emulator() or urlsplit(str(endpoint)).hostname in _LOOPBACK
