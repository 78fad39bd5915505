import os
import re
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError, DataNotFoundError, EndpointConnectionError, UnknownServiceError
from botocore.loaders import JSONFileLoader
from botocore.retries.standard import ExponentialBackoff
from localstack_client.config import get_service_endpoint

from background_jobs import InvalidSettings, OrchestrationService, ServiceUnreachable
from background_jobs.aws import clients
from background_jobs.aws.service_models import make_session, models_in
from background_jobs.aws.stores import Stores
from background_jobs.core.errors import JobsNotLoaded
from background_jobs.settings import Settings


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace AWS in memory, because these tests need endpoints that do not answer."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    clients.forget_clients()


def test_an_endpoint_that_does_not_answer_is_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(
        ServiceUnreachable, match=r"127\.0\.0\.1:9.*AWS_ENDPOINT_URL.*local run"
    ) as unreachable:
        OrchestrationService(settings).kick_off_job("count", [{}])
    assert names_in_traceback(unreachable.value) == ["background_jobs.core.errors.ServiceUnreachable"]


def names_in_traceback(error: BaseException) -> list[str]:
    """Return the errors that a traceback of *error* shows, in its order."""
    printed = "".join(traceback.format_exception(error))
    return re.findall(r"^([\w.]+)(?:: .*)?$", printed, re.MULTILINE)


@pytest.mark.parametrize(
    ("code", "error"),
    [(clients.JOBS_NOT_LOADED, JobsNotLoaded), (clients.OTHER_STACK, ServiceUnreachable)],
)
def test_what_an_offline_stack_says_is_told_without_the_frames_of_clients(
    code: str, error: type[Exception]
) -> None:
    @clients.reaching_aws
    def call() -> None:
        raise ClientError({"Error": {"Code": code, "Message": "Why, and what to do."}}, "GetObject")

    with pytest.raises(error, match=r"^Why, and what to do\.$") as refused:
        call()
    assert names_in_traceback(refused.value) == [f"background_jobs.core.errors.{error.__name__}"]


def test_an_endpoint_of_aws_that_does_not_answer_is_told_with_its_cause() -> None:
    @clients.reaching_aws
    def call() -> None:
        raise EndpointConnectionError(endpoint_url="https://dynamodb.eu-central-1.amazonaws.com/")

    with pytest.raises(ServiceUnreachable) as unreachable:
        call()
    assert names_in_traceback(unreachable.value)[0] == "botocore.exceptions.EndpointConnectionError"


def test_missing_credentials_are_explained(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(ServiceUnreachable, match="no AWS credentials"):
        OrchestrationService(settings).kick_off_job("count", [{}])


@pytest.mark.parametrize("ssl", ["", "1"])
@pytest.mark.parametrize("host", ["localhost", "stack.example:4567", "127.0.0.1", ":4567"])
def test_the_host_of_localstack_is_found_as_its_own_client_finds_it(
    host: str, ssl: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCALSTACK_HOST", host)
    monkeypatch.setenv("USE_SSL", ssl)
    assert clients.dynamodb().meta.endpoint_url == get_service_endpoint("dynamodb")


@pytest.mark.parametrize(
    ("host", "endpoint"),
    [
        ("http://stack.example:4567", "http://stack.example:4567"),
        ("https://stack.example/", "https://stack.example:4566"),
        ("[::1]:4567", "http://[::1]:4567"),
    ],
)
def test_the_host_of_localstack_may_be_a_url(
    host: str, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCALSTACK_HOST", host)
    assert clients.dynamodb().meta.endpoint_url == endpoint


@pytest.mark.parametrize("host", ["ftp://stack", "stack:many", "stack/path", "http://"])
def test_a_host_of_localstack_that_is_none_is_refused(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALSTACK_HOST", host)
    with pytest.raises(InvalidSettings, match="LOCALSTACK_HOST="):
        clients.dynamodb()


def test_a_client_of_localstack_has_the_region_the_retries_and_the_timeouts_of_all_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    elsewhere = clients.dynamodb().meta
    clients.forget_clients()
    monkeypatch.setenv("LOCALSTACK_HOST", "stack.example")
    client = clients.dynamodb().meta
    assert client.region_name == "eu-central-1"
    for option in ("retries", "connect_timeout", "read_timeout", "max_pool_connections"):
        assert getattr(client.config, option) == getattr(elsewhere.config, option)


def test_an_endpoint_of_one_service_comes_first_for_that_one_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALSTACK_HOST", "stack.example")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    assert clients.s3().meta.endpoint_url == "http://127.0.0.1:9"
    assert clients.dynamodb().meta.endpoint_url == "http://stack.example:4566"


def test_localstack_needs_neither_region_nor_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("LOCALSTACK_HOST", "stack.example")
    assert clients.dynamodb().meta.region_name == "us-east-1"


def test_aws_endpoint_url_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALSTACK_HOST", "stack.example:4567")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert clients.s3().meta.endpoint_url == "http://127.0.0.1:9"


@pytest.fixture(
    params=[b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"],
    ids=["before its answer", "in its answer"],
)
def dying(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An endpoint that dies at a call, as an emulator does that is killed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_die_at_calls, args=(listener, request.param), daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
        yield
        listener.shutdown(socket.SHUT_RDWR)


def _die_at_calls(listener: socket.socket, answer: bytes) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.recv(1 << 16)
            connection.sendall(answer)


CALLS: dict[str, Callable[[Settings], object]] = {
    "kick-off": lambda settings: OrchestrationService(settings).kick_off_job("count", [{}]),
    "summary": lambda settings: Stores.of(settings).read_model.read_summary("x"),
    "feed": lambda settings: list(Stores.of(settings).read_model.read_feed("x", 0)),
    "payload": lambda settings: Stores.of(settings).payloads.get("x"),
    "lines": lambda settings: list(Stores.of(settings).payloads.lines("x")),
}


@pytest.mark.usefixtures("dying")
@pytest.mark.parametrize("name", CALLS)
def test_an_endpoint_that_dies_at_a_call_is_explained(settings: Settings, name: str) -> None:
    """An error of botocore's own says nothing of what to do, and callers do not expect it."""
    with pytest.raises(ServiceUnreachable, match="Check AWS_ENDPOINT_URL"):
        CALLS[name](settings)


@pytest.fixture
def to_be_forked() -> Iterator[dict[str, Any]]:
    clients.make_to_be_forked()
    yield clients._made_to_be_forked
    clients._made_to_be_forked.clear()


def test_a_client_that_was_used_is_not_that_of_a_fork(to_be_forked: dict[str, Any]) -> None:
    """Both would have its connections, and read each other's answers."""
    unused = to_be_forked["dynamodb"]

    assert clients.dynamodb() is unused

    clients.forget_clients()  # as in the child of a fork
    assert clients.dynamodb() is not unused


@pytest.mark.usefixtures("to_be_forked")
def test_forks_have_read_what_their_calls_need(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each would read and compile it anew, which takes as long as all the calls of a small container."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    models_in.cache_clear()
    clients.make_to_be_forked()
    read = _note_read(monkeypatch)
    query = clients.dynamodb().get_paginator("query").paginate(TableName="x", KeyConditionExpression="x")
    for call in (lambda: list(query), lambda: clients.s3().get_object(Bucket="bucket", Key="x")):
        with pytest.raises(EndpointConnectionError):
            call()
    assert (read, caplog.messages) == ([], [])


@pytest.mark.usefixtures("to_be_forked")
def test_no_credentials_are_asked_for_before_a_container_needs_them(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Some are asked of AWS, and containers may get theirs only when they are there."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    clients.make_to_be_forked()
    (tmp_path / "config").write_text(
        "[default]\nrole_arn = arn:aws:iam::000000000000:role/jobs\nsource_profile = source\n"
        "[profile source]\naws_access_key_id = id\naws_secret_access_key = secret\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    clients.make_to_be_forked()
    assert caplog.messages == []


@pytest.mark.usefixtures("to_be_forked")
def test_what_traces_the_calls_of_botocore_sees_none_that_never_was(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    call: Any = BaseClient._make_api_call  # type: ignore[attr-defined]

    def trace(client: BaseClient, operation: str, arguments: dict[str, Any]) -> Any:
        seen.append(operation)
        return call(client, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", trace)
    clients.make_to_be_forked()
    assert seen == []


def _note_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what the models of AWS that are read from now on will be in."""
    read: list[str] = []
    load_file = JSONFileLoader.load_file

    def note(loader: JSONFileLoader, path: str) -> object:
        document: object = load_file(loader, path)
        if document is not None:
            read.append(path)
        return document

    monkeypatch.setattr(JSONFileLoader, "load_file", note)
    return read


def test_the_models_of_aws_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take longer than all else of a client."""
    read = _note_read(monkeypatch)
    models_in.cache_clear()
    for _ in range(2):
        clients.dynamodb()
        clients.s3()
        clients.forget_clients()
    assert any(path.endswith("endpoints") for path in read)
    assert len(read) == len(set(read))


def test_models_of_the_users_own_count_before_those_of_botocore(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """AWS_DATA_PATH is how botocore is told of an endpoint, or a service, that it does not know."""
    folder = tmp_path / "notes" / "2026-01-01"
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text('{"metadata": {"endpointPrefix": "notes"}}')
    monkeypatch.setenv("AWS_DATA_PATH", f"{tmp_path}{os.pathsep}")

    loader = make_session().get_component("data_loader")

    assert loader.load_service_model("notes", "service-2")["metadata"] == {"endpointPrefix": "notes"}
    assert loader.load_service_model("dynamodb", "service-2")["metadata"]["serviceId"] == "DynamoDB"
    with pytest.raises(UnknownServiceError, match="absent"):
        loader.load_service_model("absent", "service-2")
    with pytest.raises(DataNotFoundError):
        loader.load_service_model("notes", "waiters-2")


@pytest.mark.parametrize(("default", "region"), [(None, "eu-central-1"), ("eu-west-1", "eu-west-1")])
def test_the_region_is_what_the_variables_say(
    monkeypatch: pytest.MonkeyPatch, default: str | None, region: str
) -> None:
    """AWS_REGION is what AWS's command line and its other SDKs read, and botocore does not."""
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    if default:
        monkeypatch.setenv("AWS_DEFAULT_REGION", default)

    assert make_session().create_client("sqs").meta.region_name == region


@pytest.mark.parametrize("service", ["dynamodb", "s3"])
def test_models_are_those_that_botocore_reads(service: str) -> None:
    ours = make_session().get_component("data_loader")
    theirs = botocore.session.Session().get_component("data_loader")

    for kind in ("service-2", "endpoint-rule-set-1", "paginators-1", "waiters-2"):
        assert ours.load_service_model(service, kind) == theirs.load_service_model(service, kind)
