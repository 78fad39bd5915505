"""What holds for every route of the API: problems, addresses, versions of answers, pages, and other sites."""

import gzip
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from background_jobs import OrchestrationService
from background_jobs.progress_api.app import create_app
from background_jobs.progress_api.problems import MEDIA_TYPE, Problem
from background_jobs.settings import ApiSettings, Settings

UNKNOWN = "0b0e3f3c-1c58-4c0e-9d54-6f3c2d0a7c11"
JSON = {"content-type": "application/json"}
SITE = "https://app.example"
CRON = {"job_name": "halve", "params": [{"n": 2}], "cron": "0 3 * * *"}


def make_app(settings: Settings, **options: Any) -> FastAPI:
    api = ApiSettings(allowed_hosts=("testserver",), stream_poll_seconds=0.01, **options)
    return create_app(settings.model_copy(update={"job_names": ("halve",)}), api)


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    return make_app(settings)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def site(settings: Settings) -> Iterator[TestClient]:
    """The API where pages of another site may call it."""
    with TestClient(make_app(settings, cors_origins=(SITE,))) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "error"),
    [
        ("GET", "/orchestration", {}, 404, "NotFound"),
        ("GET", "/console/none.js", {}, 404, "NotFound"),
        ("GET", "/orchestrations/", {"follow_redirects": False}, 404, "NotFound"),
        ("POST", "/orchestrations/", {"json": {}, "follow_redirects": False}, 404, "NotFound"),
        ("DELETE", f"/orchestrations/{UNKNOWN}", {}, 405, "MethodNotAllowed"),
        ("GET", "/orchestrations", {"headers": {"host": "evil.example"}}, 400, "UnknownHost"),
        ("GET", "/orchestrations", {"headers": {"host": "[::1"}}, 400, "UnknownHost"),
        ("POST", "/orchestrations", {"content": "{", "headers": JSON}, 400, "InvalidJson"),
        ("POST", "/orchestrations", {"content": b'"\xff"', "headers": JSON}, 400, "InvalidJson"),
        ("POST", "/orchestrations", {"content": "[" * 100_000, "headers": JSON}, 400, "InvalidJson"),
        ("POST", "/orchestrations", {"data": {"job_name": "halve"}}, 415, "UnsupportedMediaType"),
        ("POST", "/orchestrations", {"content": "{}"}, 415, "UnsupportedMediaType"),
        ("POST", "/orchestrations", {"content": " " * 7_000_000, "headers": JSON}, 413, "RequestTooLarge"),
        ("POST", "/orchestrations", {"headers": {"origin": "https://evil.example"}}, 403, "ForeignOrigin"),
        ("POST", "/orchestrations", {"headers": {"origin": "http://["}}, 403, "ForeignOrigin"),
        ("POST", "/orchestrations", {"json": {"job_name": "halve"}}, 422, "InvalidRequest"),
        ("POST", "/orchestrations", {}, 422, "InvalidRequest"),
        ("GET", f"/orchestrations/{UNKNOWN}/events", {}, 404, "OrchestrationNotFound"),
        ("GET", "/schedules/nightly/runs?next_token=-1", {}, 422, "InvalidToken"),
        ("GET", "/schedules?next_token=%00", {}, 422, "InvalidToken"),
        ("GET", "/streams?token=x", {}, 401, "StreamTokenRefused"),
    ],
)
def test_whatever_is_refused_is_answered_with_a_problem(  # noqa: PLR0913, PLR0917 -- a table's columns
    client: TestClient, method: str, path: str, options: dict[str, Any], status: int, error: str
) -> None:
    """Clients that are made of the OpenAPI document fail at anything else."""
    answer = client.request(method, path, **options)
    problem = Problem.model_validate_json(answer.content)
    assert (answer.status_code, problem.status, problem.error) == (status, status, error)
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert problem.type == f"urn:background-jobs:problem:{error}"
    assert len(problem.detail) > 20
    assert problem.title


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"job_name": "halve", "params": [{"n": 1, "n": 2}]}', "the key 'n' comes twice in one object"),
        (b'{"job_name": "halve", "job_name": "double", "params": []}', "the key 'job_name' comes twice"),
        (b'{"job_name": "\xff"}', "byte 14 is not UTF-8"),
        (b"[" * 100_000, "it is nested too deep"),
        (b'{"params": [{"n": ' + b"9" * 5_000 + b"}]}", "Exceeds the limit (4300 digits)"),
        (b'{"job_name": "halve"', "Expecting ',' delimiter"),
    ],
)
def test_a_body_in_which_something_would_be_lost_or_cannot_be_read_is_refused_with_the_reason(
    client: TestClient, body: bytes, reason: str
) -> None:
    """The value of a key that came twice was lost, and the others were refused without a reason."""
    answer = client.post("/orchestrations", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["error"]) == (400, "InvalidJson")
    assert reason in answer.json()["detail"]


def test_every_route_that_takes_a_body_reads_it_strictly(client: TestClient, app: FastAPI) -> None:
    taking = [
        (method, path.format(orchestration_id=UNKNOWN, name="nightly"))
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
        if "requestBody" in operation
    ]
    assert len(taking) > 5
    for method, path in taking:
        answer = client.request(method, path, content=b'{"a": 1, "a": 2}', headers=JSON)
        assert (path, answer.json()["error"]) == (path, "InvalidJson")


def test_refused_values_are_told_as_the_json_that_was_sent(client: TestClient) -> None:
    """Clients in other languages read of None and True."""
    body = {"job_name": "halve", "params": [None, True], "parallelism": True}
    detail = client.post("/orchestrations", json=body).json()["detail"]
    for value in ("params.0=null", "params.1=true", "parallelism=true"):
        assert f"body.{value} must be" in detail


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/orchestrations?since=2026", None),
        ("GET", "/orchestrations?until=-1", None),
        ("GET", f"/orchestrations/{UNKNOWN}/logs?since=1764230400.5", None),
        ("GET", "/occurrences?from=5&to=6", None),
        ("GET", "/schedules/nightly/backfill?from=5&to=6", None),
        ("PUT", "/schedules/nightly", {"job_name": "halve", "at": 2_000_000_000}),
        ("POST", "/schedules/nightly/backfill", {"from": 5, "to": 6}),
    ],
)
def test_a_number_is_no_moment(client: TestClient, method: str, path: str, body: object) -> None:
    """The year 2026 was taken for the seconds since 1970, and listed everything."""
    answer = client.request(method, path, json=body)
    assert (answer.status_code, answer.json()["error"]) == (422, "InvalidRequest")
    assert "must be a date and time, as 2026-11-24T09:30Z" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("0001-01-01T00:00:00Z", "0001-01-08T00:00:00Z"),
        ("9999-12-25T00:00:00Z", "9999-12-31T23:59:59Z"),
        ("0001-01-01T00:00:00%2B14:00", "0001-01-08T00:00:00Z"),
    ],
)
def test_a_calendar_at_the_ends_of_time_is_refused(client: TestClient, since: str, until: str) -> None:
    """It was answered with 500."""
    client.put("/schedules/nightly", json=CRON)
    answer = client.get(f"/occurrences?from={since}&to={until}")
    assert (answer.status_code, answer.json()["error"]) == (422, "InvalidRequest")
    assert "is beyond the calendar" in answer.json()["detail"]


def test_a_failure_of_the_api_itself_is_a_problem_without_its_traceback(
    client: TestClient, app: FastAPI
) -> None:
    app.state.callers = None
    answer = client.get("/orchestrations")
    assert (answer.status_code, answer.json()["error"]) == (500, "InternalServerError")
    assert "NoneType" not in answer.text


def test_an_unknown_job_is_refused_in_a_stage_that_names_its_service_too(client: TestClient) -> None:
    """It was started, and the pipeline stopped where no container knew the job."""
    then = {"job_name": "havle", "service": "reports"}
    refused = [
        client.post("/orchestrations", json={"job_name": "halve", "params": [], "then": then}),
        client.put("/schedules/nightly", json=CRON | {"then": then}),
    ]
    assert [(answer.status_code, answer.json()["error"]) for answer in refused] == [
        (422, "UnknownJobName"),
        (422, "UnknownJobName"),
    ]


def test_an_invalid_request_names_each_part_that_is_wrong(client: TestClient) -> None:
    answer = client.post("/orchestrations", json={"params": [7], "paralelism": 2}).json()
    wrong = sorted(fault["where"] for fault in answer["faults"])
    assert wrong == ["body.job_name", "body.paralelism", "body.params.0"]
    assert all(where in answer["detail"] for where in wrong)


def test_a_wrong_method_is_told_all_that_the_path_has(client: TestClient) -> None:
    assert client.delete("/orchestrations").headers["allow"] == "GET, POST"
    assert client.post("/schedules/nightly").headers["allow"] == "DELETE, GET, PUT"


def test_what_is_made_has_an_address_that_leads_to_it(client: TestClient) -> None:
    kicked_off = client.post("/orchestrations", json={"job_name": "halve", "params": []})
    made = [
        kicked_off,
        client.put("/schedules/nightly", json=CRON),
        client.post("/schedules/nightly/run-now"),
    ]
    for answer in made:
        assert answer.status_code == 201
        # relative, for API Gateway serves the API below the name of its stage
        assert "/v1/" not in answer.headers["location"]
        target = answer.request.url.join(answer.headers["location"])
        assert client.get(str(target)).status_code == 200, target
    assert kicked_off.headers["location"] == f"orchestrations/{kicked_off.json()['orchestration_id']}"
    # and what is there already is not made again
    again = client.put("/schedules/nightly", json=CRON)
    assert (again.status_code, "location" in again.headers) == (200, False)


def test_a_rerun_has_an_address_too(client: TestClient, done: str) -> None:
    answer = client.post(f"/orchestrations/{done}/rerun")
    target = answer.request.url.join(answer.headers["location"])
    assert client.get(str(target)).json()["parent_id"] == done


def test_what_changes_without_options_needs_no_body(client: TestClient, done: str) -> None:
    assert client.post(f"/orchestrations/{done}/cancel").json() == {"found": "already done"}
    assert client.post(f"/orchestrations/{done}/pipeline/cancel").json() == {"found": "already done"}
    assert client.post(f"/orchestrations/{done}/rerun").status_code == 201


def test_an_answer_that_a_client_has_is_not_sent_again(
    client: TestClient, done: str, service: OrchestrationService, aggregate: Callable[[], list[Any]]
) -> None:
    for path in ("/orchestrations", f"/orchestrations/{done}", f"/orchestrations/{done}/results"):
        first = client.get(path)
        again = client.get(path, headers={"if-none-match": f'"other", {first.headers["etag"]}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    # and what has changed is sent
    first = client.get("/orchestrations")
    service.kick_off_job("halve", [{"n": 2}])
    aggregate()
    assert client.get("/orchestrations", headers={"if-none-match": first.headers["etag"]}).status_code == 200


def test_long_answers_are_compressed_and_streams_are_not(client: TestClient, done: str) -> None:
    path = f"/orchestrations/{done}"
    with client.stream("GET", "/openapi.json", headers={"accept-encoding": "gzip"}) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert "openapi" in json.loads(gzip.decompress(b"".join(answer.iter_raw())))
    stream = client.get(f"{path}/events", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in stream.headers
    assert "event: completed" in stream.text


def test_schedules_and_their_runs_are_read_in_pages(
    client: TestClient, service: OrchestrationService
) -> None:
    for name in ("c", "a", "b"):
        service.schedule_job(name, "halve", [{"n": 2}], cron="0 3 * * *")
    for _ in range(3):
        client.post("/schedules/a/run-now", json={"force": True})

    def read(path: str, field: str) -> list[str]:
        found, token = [], None
        while True:
            query = {"limit": 2} | ({"next_token": token} if token else {})
            page = client.get(path, params=query).json()
            found += [item[field] for item in page["items"]]
            if (token := page["next_token"]) is None:
                return found

    assert read("/schedules", "name") == ["a", "b", "c"]
    whole = client.get("/schedules/a/runs").json()["items"]
    assert read("/schedules/a/runs", "orchestration_id") == [run["orchestration_id"] for run in whole]
    assert len(whole) == 3


def test_every_list_has_the_same_shape(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    pages = {name for name, schema in schemas.items() if "next_token" in schema.get("properties", {})}
    pages.remove("LogPage")  # a log has no end: its token asks for what is still to come
    assert pages >= {
        "OrchestrationPage",
        "InstancePage",
        "SuccessPage",
        "FailurePage",
        "SchedulePage",
        "ScheduleRunPage",
        "WaitPage",
    }
    assert all("items" in schemas[name]["properties"] for name in pages)


PREFLIGHT = {
    "origin": SITE,
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type",
}


def test_pages_of_no_other_site_are_let_in_unless_it_is_named(client: TestClient, site: TestClient) -> None:
    body = {"job_name": "halve", "params": []}
    # by default
    assert client.options("/orchestrations", headers=PREFLIGHT).status_code == 405
    assert (
        "access-control-allow-origin" not in client.get("/orchestrations", headers={"origin": SITE}).headers
    )
    assert client.post("/orchestrations", json=body, headers={"origin": SITE}).status_code == 403
    # and where it is
    allowed = site.options("/orchestrations", headers=PREFLIGHT)
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, SITE)
    made = site.post("/orchestrations", json=body, headers={"origin": SITE})
    assert (made.status_code, made.headers["access-control-allow-origin"]) == (201, SITE)
    assert "location" in made.headers["access-control-expose-headers"]
    # and of no other
    other = {"origin": "https://evil.example"}
    assert site.options("/orchestrations", headers=PREFLIGHT | other).status_code == 400
    assert site.post("/orchestrations", json=body, headers=other).status_code == 403
    assert "access-control-allow-origin" not in site.get("/orchestrations", headers=other).headers


def test_a_refusal_can_be_read_by_the_site_that_is_named(site: TestClient) -> None:
    answer = site.post("/orchestrations", content="{}", headers={"origin": SITE})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (415, SITE)


class TestStreamTokens:
    def test_a_token_opens_the_stream_of_its_orchestration_without_a_header(
        self, client: TestClient, done: str
    ) -> None:
        made = client.post(f"/orchestrations/{done}/stream-tokens")
        assert made.status_code == 201
        assert made.headers["cache-control"] == "no-store"
        stream = client.get(str(made.request.url.join(made.headers["location"])))
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert done in stream.text
        assert client.get(f"/{made.json()['url']}").text.count("event: completed") == 1

    def test_a_stream_that_is_opened_anew_resumes_after_the_event_that_is_named(
        self, client: TestClient, done: str
    ) -> None:
        """An EventSource that is made anew sends no Last-Event-ID."""
        url = client.post(f"/orchestrations/{done}/stream-tokens").json()["url"]
        version = client.get(f"/orchestrations/{done}").json()["version"]
        assert client.get(f"/{url}&last_event_id={version}").status_code == 204
        # and where a browser connects again by itself, its header is later
        by_itself = client.get(f"/{url}&last_event_id=0", headers={"last-event-id": str(version)})
        assert by_itself.status_code == 204

    def test_no_other_token_opens_a_stream(self, client: TestClient, settings: Settings, done: str) -> None:
        token = client.post(f"/orchestrations/{done}/stream-tokens").json()["token"]
        payload, mac = token.split(".")
        with TestClient(make_app(settings)) as other_key:
            foreign = other_key.post(f"/orchestrations/{done}/stream-tokens").json()["token"]
        for changed in (
            payload,
            f"{payload}.",
            f"{payload}.{mac[::-1]}",
            f"{payload}x.{mac}",
            foreign,
            "é.é",
        ):
            refused = client.get("/streams", params={"token": changed})
            assert (refused.status_code, refused.json()["error"]) == (401, "StreamTokenRefused")

    def test_a_token_is_refused_after_a_minute(self, client: TestClient, app: FastAPI, done: str) -> None:
        a_minute_ago = datetime.now(UTC) - timedelta(seconds=60)
        token, _ = app.state.stream_tokens.issue(done, "", a_minute_ago)
        refused = client.get("/streams", params={"token": token})
        assert (refused.status_code, "has expired" in refused.json()["detail"]) == (401, True)

    def test_there_is_no_token_for_what_is_not_there(self, client: TestClient) -> None:
        assert client.post(f"/orchestrations/{UNKNOWN}/stream-tokens").status_code == 404

    def test_an_environment_without_a_key_says_so(self, settings: Settings, done: str) -> None:
        with TestClient(make_app(settings, stream_token_key="none")) as client:
            refused = client.post(f"/orchestrations/{done}/stream-tokens")
            assert (refused.status_code, "STREAM_TOKEN_KEY" in refused.json()["detail"]) == (503, True)

    def test_a_key_of_kms_makes_tokens_that_every_process_knows(self, settings: Settings, done: str) -> None:
        import boto3

        key = boto3.client("kms").create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
        arn = key["KeyMetadata"]["Arn"]
        with (
            TestClient(make_app(settings, stream_token_key=arn)) as one,
            TestClient(make_app(settings, stream_token_key=arn)) as other,
        ):
            token = one.post(f"/orchestrations/{done}/stream-tokens").json()["token"]
            assert other.get("/streams", params={"token": token}).status_code == 200
            payload, mac = token.split(".")
            changed = f"{payload}.{mac[::-1]}"
            assert other.get("/streams", params={"token": changed}).status_code == 401
