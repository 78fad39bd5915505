"""The progress API over moto: what it answers, and what it refuses."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from background_jobs import OrchestrationService
from background_jobs.aws.stores import Stores
from background_jobs.core.events import JobAttemptFailed, JobError
from background_jobs.progress_api.app import create_app
from background_jobs.progress_api.security import MAX_REQUEST_BYTES
from background_jobs.settings import ApiSettings, Settings
from tests.memory import append_events
from tests.unit.histories import at

UNKNOWN = "0b0e3f3c-1c58-4c0e-9d54-6f3c2d0a7c11"


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    api = ApiSettings(allowed_hosts=("testserver",), stream_poll_seconds=0.01)
    return create_app(settings.model_copy(update={"job_names": ("halve",)}), api)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


def test_a_kick_off_can_be_seen_at_once(client: TestClient) -> None:
    answer = client.post(
        "/orchestrations", json={"job_name": "halve", "params": [{"n": 2}], "tags": {"customer": "acme"}}
    )
    assert answer.status_code == 201
    shown = client.get(f"/orchestrations/{answer.json()['orchestration_id']}").json()
    assert (shown["status"], shown["counts"]["waiting"], shown["tags"]) == (
        "InProgress",
        1,
        {"customer": "acme"},
    )


def test_an_orchestration_that_ended_is_shown_with_its_results_failures_and_their_causes(
    client: TestClient, done: str
) -> None:
    url = f"/orchestrations/{done}"
    shown = client.get(url).json()
    assert (shown["status"], shown["counts"]) == (
        "Errored",
        {"waiting": 0, "running": 0, "completed": 2, "errored": 2},
    )
    results = client.get(f"{url}/results").json()
    assert [(success["params"], success["result"]) for success in results["items"]] == [
        ({"n": 2}, 1),
        ({"n": 4}, 2),
    ]
    failures = client.get(f"{url}/failures").json()["items"]
    assert [(failure["index"], failure["params"]) for failure in failures] == [(1, {"n": 3}), (3, {"n": 5})]
    assert "raise ValueError" in failures[0]["error"]["traceback"]
    (cause,) = client.get(f"{url}/causes").json()["items"]
    assert (cause["type"], cause["count"], cause["indices"]) == ("ValueError", 2, [1, 3])


def test_a_cause_is_previewed_and_runs_again_over_http(client: TestClient, stores: Stores, done: str) -> None:
    url = f"/orchestrations/{done}"
    (cause,) = client.get(f"{url}/causes", params={"limit": 1}).json()["items"]
    chosen = {"cause": cause["cause_id"]}
    listed = client.get(f"{url}/instances", params=chosen).json()["items"]
    assert [instance["index"] for instance in listed] == [1, 3]
    body = chosen | {"params_patch": {"n": 8}}
    preview = client.post(f"{url}/rerun/preview", json=body)
    assert (preview.status_code, preview.json()["instances"]) == (200, 2)
    assert preview.json()["params"][0] == {"index": 1, "before": {"n": 3}, "after": {"n": 8}}
    again = client.post(f"{url}/rerun", json=body)
    assert again.status_code == 201, again.text
    started = stores.event_log.read_started(again.json()["orchestration_id"])
    assert (started.parent_id, started.rerun_only, started.total) == (done, "selected", 2)
    unknown = {"cause": "0123456789ab"}
    answers = [
        client.get(f"{url}/instances", params=unknown),
        client.get(f"{url}/failures", params=unknown),
        client.post(f"{url}/rerun", json=unknown),
        client.post(f"{url}/rerun/preview", json=unknown),
    ]
    assert {(answer.status_code, answer.json()["error"]) for answer in answers} == {(404, "CauseNotFound")}


def test_pages_follow_each_other_without_gaps(client: TestClient, done: str) -> None:
    url = f"/orchestrations/{done}/instances"
    first = client.get(url, params={"limit": 3}).json()
    rest = client.get(url, params={"limit": 3, "next_token": first["next_token"]}).json()
    assert [instance["index"] for instance in first["items"] + rest["items"]] == [0, 1, 2, 3]
    assert rest["next_token"] is None
    errored = client.get(url, params={"status": "Errored"}).json()["items"]
    assert [(instance["index"], instance["status"]) for instance in errored] == [
        (1, "Errored"),
        (3, "Errored"),
    ]


def test_an_instance_has_its_event_history(client: TestClient, done: str) -> None:
    instance = client.get(f"/orchestrations/{done}/instances/1").json()
    assert (instance["instance"]["status"], instance["params"]) == ("Errored", {"n": 3})
    assert instance["error"]["message"] == "3 is odd"
    assert [event["type"] for event in instance["events"]] == ["JobErrored"]
    assert client.get(f"/orchestrations/{done}/instances/4").status_code == 404


def test_an_instance_that_backs_off_says_why_and_until_when(
    client: TestClient, service: OrchestrationService, stores: Stores
) -> None:
    orchestration = service.kick_off_job("halve", [{"n": 2}])
    error = JobError(type="OSError", message="away", traceback="Traceback ...")
    append_events(
        stores,
        JobAttemptFailed(
            orchestration_id=orchestration.id, at=at(1), index=0, attempt=1, error=error, retry_at=at(5)
        ),
    )
    (event,) = client.get(f"/orchestrations/{orchestration.id}/instances/0").json()["events"]
    assert (event["detail"], event["traceback"]) == ("OSError: away", "Traceback ...")
    assert datetime.fromisoformat(event["retry_at"]) == at(5)


def test_the_outcomes_are_counted_over_time(
    client: TestClient, service: OrchestrationService, done: str
) -> None:
    throughput = client.get(f"/orchestrations/{done}/throughput").json()
    assert (sum(throughput["completed"]), sum(throughput["errored"])) == (2, 2)
    assert throughput["version"] == client.get(f"/orchestrations/{done}").json()["version"]
    # and of one that nobody has worked on, there is nothing to count
    waiting = service.kick_off_job("halve", [{"n": 2}])
    throughput = client.get(f"/orchestrations/{waiting.id}/throughput").json()
    assert (throughput["began_at"], throughput["completed"]) == (None, [])


def test_orchestrations_are_listed_newest_first_by_name_status_customer_and_time(
    client: TestClient, service: OrchestrationService, aggregate: Callable[[], list[Any]], done: str
) -> None:
    later = [service.kick_off_job("other", [{}], tags={"customer": "zeta"}).id for _ in range(3)]
    assert aggregate() == []

    def listed(**params: Any) -> list[str]:
        answer = client.get("/orchestrations", params=params).json()
        return [view["orchestration_id"] for view in answer["items"]]

    newest_first = [*reversed(later), done]
    assert listed() == newest_first
    assert listed(job_name="other") == newest_first[:3]
    assert listed(customer="acme") == [done]
    assert listed(customer="acme", job_name="other") == []
    assert listed(status="Errored") == [done]
    assert listed(job_name="other", status="InProgress") == newest_first[:3]
    assert listed(job_name="other", status="Completed") == []
    assert listed(customer="acme", status="Errored") == listed(customer="acme", job_name="halve") == [done]
    assert listed(customer="acme", status="Errored", job_name="other") == []
    assert listed(since=(datetime.now(UTC) + timedelta(minutes=1)).isoformat()) == []
    assert listed(until=(datetime.now(UTC) - timedelta(days=1)).isoformat()) == []


START, END = "0001-01-01T00:00:00+12:00", "9999-12-31T23:59:59-12:00"


@pytest.mark.parametrize("other", [{}, {"job_name": "halve"}, {"status": "Errored"}, {"customer": "acme"}])
def test_the_history_is_asked_for_up_to_the_ends_of_time(
    client: TestClient, done: str, other: dict[str, str]
) -> None:
    def found(**span: str) -> list[str]:
        answer = client.get("/orchestrations", params={**other, **span}).json()
        return [view["orchestration_id"] for view in answer["items"]]

    assert found(since=START) == found(until=END) == found(since=START, until=END) == [done]
    assert found(until=START) == found(since=END) == found(since=START, until=START) == []


@pytest.mark.parametrize(
    ("span", "message"),
    [
        ({"since": "2026-11-24T00:00:00Z", "until": "2026-11-23T00:00:00Z"}, "later than until=2026-11-23"),
        ({"since": END, "until": START}, "later than until=0001-01-01"),
        ({"since": "2026-11-24T00:00:00"}, "needs a time zone"),
    ],
)
def test_a_time_range_that_cannot_be_is_refused(
    client: TestClient, span: dict[str, str], message: str
) -> None:
    answer = client.get("/orchestrations", params=span)
    assert answer.status_code == 422
    assert message in answer.json()["detail"]


@pytest.mark.parametrize(
    "filters",
    [{}, {"job_name": "other"}, {"status": "InProgress"}, {"job_name": "other", "status": "InProgress"}],
)
def test_the_history_is_paged_by_token(
    client: TestClient,
    service: OrchestrationService,
    aggregate: Callable[[], list[Any]],
    filters: dict[str, str],
) -> None:
    ids = [service.kick_off_job("other", [{}]).id for _ in range(5)]
    assert aggregate() == []
    seen, token = [], None
    while True:
        params = filters | {"limit": "2"} | ({"next_token": token} if token else {})
        page = client.get("/orchestrations", params=params).json()
        seen += [view["orchestration_id"] for view in page["items"]]
        if (token := page["next_token"]) is None:
            break
    assert seen == ids[::-1]


def test_failures_run_again_in_an_orchestration_that_names_its_parent(client: TestClient, done: str) -> None:
    answer = client.post(f"/orchestrations/{done}/rerun", json={"only": "failed"})
    assert answer.status_code == 201
    again = client.get(f"/orchestrations/{answer.json()['orchestration_id']}").json()
    assert (again["parent_id"], again["total"], again["tags"]) == (done, 2, {"customer": "acme"})
    instance = client.get(f"/orchestrations/{again['orchestration_id']}/instances/1").json()
    assert instance["params"] == {"n": 5}


def test_a_pipeline_is_shown_with_what_is_still_to_come_and_is_cancelled_as_one(client: TestClient) -> None:
    body = {"job_name": "halve", "params": [{"n": 2}], "then": {"job_name": "halve", "params": "results"}}
    url = f"/orchestrations/{client.post('/orchestrations', json=body).json()['orchestration_id']}"
    shown = client.get(f"{url}/pipeline").json()
    assert [(stage["number"], stage["orchestration"] is None) for stage in shown["stages"]] == [
        (1, False),
        (2, True),
    ]
    assert client.post(f"{url}/pipeline/cancel", json={}).json() == {"found": "requested"}
    refused = client.post(
        "/orchestrations", json=body | {"then": {"job_name": "halve", "params": {"n": "$x"}}}
    )
    assert (refused.status_code, "refers to nothing" in refused.json()["detail"]) == (422, True)


def test_waits_have_their_reasons_and_an_event_history_has_what_happened(
    client: TestClient, done: str
) -> None:
    body = {"job_name": "halve", "params": [{"n": 2}]}
    waiting = client.post("/orchestrations", json=body).json()["orchestration_id"]
    (wait,) = client.get(f"/orchestrations/{waiting}/waits").json()["items"]
    assert (wait["reason"], wait["instances"]) == ("waiting for launch", 1)
    history = client.get(f"/orchestrations/{done}/event-history").json()
    assert [entry["type"] for entry in history["timeline"]][:2] == [
        "OrchestrationStarted",
        "ContainerStarted",
    ]
    assert history["waits"] == []


def test_what_still_runs_is_cancelled_but_not_run_again(client: TestClient) -> None:
    body = {"job_name": "halve", "params": [{"n": 2}]}
    url = f"/orchestrations/{client.post('/orchestrations', json=body).json()['orchestration_id']}"
    refused = client.post(f"{url}/rerun", json={})
    assert (refused.status_code, refused.json()["error"]) == (422, "InvalidKickOff")
    assert client.post(f"{url}/cancel", json={"reason": "wrong month"}).json() == {"found": "requested"}
    assert client.post(f"{url}/cancel", json={}).json() == {"found": "already cancelled"}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("GET", f"/orchestrations/{UNKNOWN}", None, 404, "OrchestrationNotFound"),
        ("GET", f"/orchestrations/{UNKNOWN}/events", None, 404, "OrchestrationNotFound"),
        ("GET", f"/orchestrations/{UNKNOWN}/failures", None, 404, "OrchestrationNotFound"),
        ("POST", f"/orchestrations/{UNKNOWN}/cancel", {}, 404, "OrchestrationNotFound"),
        ("GET", "/schedules/nightly", None, 404, "ScheduleNotFound"),
        ("DELETE", "/schedules/nightly", None, 404, "ScheduleNotFound"),
        ("GET", "/schedules/not%20a%20name", None, 422, "InvalidRequest"),
        ("GET", "/orchestrations/not-an-id", None, 422, "InvalidRequest"),
        ("GET", "/orchestrations/not-an-id/events", None, 422, "InvalidRequest"),
        ("GET", "/orchestrations?next_token=made-up", None, 422, "InvalidToken"),
        ("GET", "/orchestrations?next_token=eyJhIjoiYiJ9", None, 422, "InvalidToken"),
        ("GET", "/orchestrations?limit=0", None, 422, "InvalidRequest"),
        ("GET", "/orchestration", None, 404, "NotFound"),
        ("DELETE", f"/orchestrations/{UNKNOWN}", None, 405, "MethodNotAllowed"),
        ("POST", "/orchestrations", {"job_name": "havle", "params": []}, 422, "UnknownJobName"),
        ("POST", "/orchestrations", {"job_name": "halve", "params": [7]}, 422, "InvalidRequest"),
        (
            "POST",
            "/orchestrations",
            {"job_name": "halve", "params": [], "paralelism": 2},
            422,
            "InvalidRequest",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(  # noqa: PLR0913, PLR0917 -- a table's columns
    client: TestClient, method: str, path: str, body: Any, status: int, error: str
) -> None:
    answer = client.request(method, path, json=body)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert len(answer.json()["detail"]) > 20


def test_schedules_are_listed_shown_paused_resumed_run_and_deleted(
    client: TestClient, service: OrchestrationService
) -> None:
    service.schedule_job("nightly", "halve", [{"n": 2}], cron="0 3 * * *", timezone="Europe/Berlin")
    (listed,) = client.get("/schedules").json()["items"]
    assert (listed["name"], listed["state"], listed["due"]) == ("nightly", "active", "cron(0 3 * * ? *)")
    assert len(client.get("/schedules/nightly").json()["next_runs"]) == 5
    assert client.post("/schedules/nightly/pause").json()["state"] == "paused"
    assert client.post("/schedules/nightly/resume").json()["state"] == "active"
    run = client.post("/schedules/nightly/run-now", json={})
    assert (run.status_code, run.json()["state"]) == (201, "started")
    shown = client.get(f"/orchestrations/{run.json()['orchestration_id']}").json()
    assert shown["tags"]["schedule"] == "nightly"
    skipped = client.post("/schedules/nightly/run-now", json={}).json()
    assert "still in progress" in skipped["reason"]
    runs = client.get("/schedules/nightly/runs", params={"limit": 10}).json()["items"]
    assert [run["state"] for run in runs] == ["skipped", "started"]
    assert client.delete("/schedules/nightly").status_code == 204
    assert client.get("/schedules").json()["items"] == []
    assert client.get("/schedules/nightly").json()["state"] == "over"
    refused = client.post("/schedules/nightly/pause")
    assert (refused.status_code, refused.json()["error"]) == (409, "ScheduleEnded")


def test_pages_of_other_sites_other_hosts_and_large_bodies_are_refused(client: TestClient) -> None:
    body = {"job_name": "halve", "params": []}
    foreign = client.post("/orchestrations", json=body, headers={"origin": "https://evil.example"})
    assert (foreign.status_code, foreign.json()["error"]) == (403, "ForeignOrigin")
    assert (
        client.post("/orchestrations", json=body, headers={"origin": "http://testserver"}).status_code == 201
    )
    assert client.get("/orchestrations", headers={"host": "evil.example"}).status_code == 400
    large = client.post("/orchestrations", content=b" " * (MAX_REQUEST_BYTES + 1))
    assert (large.status_code, large.json()["error"]) == (413, "RequestTooLarge")
    chunked = client.post("/orchestrations", content=iter([b"{}"]))
    assert (chunked.status_code, chunked.json()["error"]) == (415, "UnsupportedMediaType")


def test_every_answer_carries_a_strict_policy(client: TestClient) -> None:
    for path in ("/", "/orchestrations", "/orchestrations/not-an-id"):
        policy = client.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "require-trusted-types-for 'script'" in policy
        assert "unsafe" not in policy


def test_the_api_is_what_its_document_says(app: FastAPI) -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, headers={"host": "testserver"})
    # A name of no job, or a token of no page, is well-formed and refused all the same.
    refused = [schemathesis.checks.CHECKS.get_one("positive_data_acceptance")]
    operations: list[Any] = [operation.ok() for operation in schema.get_all_operations()]  # type: ignore[union-attr]
    assert len(operations) == 42
    for operation in operations:

        @hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def answers_as_described(case: Any) -> None:
            case.call_and_validate(headers={"host": "testserver"}, excluded_checks=refused)

        answers_as_described()
