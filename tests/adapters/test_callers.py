"""The progress API behind a user pool: a token reaches what its scopes and groups name, and nothing else."""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from background_jobs import OrchestrationService, Stage
from background_jobs.orchestration_service import Orchestration
from background_jobs.progress_api.app import create_app
from background_jobs.settings import ApiSettings, Authorization, Settings
from tests.adapters.scheduling import written

UNKNOWN = "0b0e3f3c-1c58-4c0e-9d54-6f3c2d0a7c11"
READ = "background-jobs-test.read/billing"
WRITE = "background-jobs-test.write/billing"
SCHEDULE = {"job_name": "halve", "cron": "0 3 * * *"}
BODIES: dict[str, Any] = {
    "POST /orchestrations": {"job_name": "halve", "params": [{"n": 2}], "service": "reports"},
    "POST /orchestrations/{orchestration_id}/cancel": {},
    "POST /orchestrations/{orchestration_id}/rerun": {"only": "all"},
    "POST /orchestrations/{orchestration_id}/rerun/preview": {"only": "all"},
    "POST /orchestrations/{orchestration_id}/pipeline/cancel": {},
    "PUT /schedules/{name}": SCHEDULE | {"service": "billing"},
    "POST /schedules/{name}/run-now": {},
    "POST /jobs/{name}/preview": {"params": [{"n": 2}]},
    "POST /schedules/{name}/backfill": {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"},
}
"""What the routes take, so that none is refused for its body."""
TIME = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}
QUERIES = {"GET /occurrences": TIME, "GET /schedules/{name}/backfill": TIME}
"""What the addresses of some routes must have."""
OPEN = {"/", "/console", "/docs", "/openapi.json", "/streams"}
"""The routes of the console's files and the description of the API, which are the same for all; and streams.

A stream is opened with a token, which only who may read the orchestration is given.
"""
ANSWERS = {
    "GET /orchestrations": 200,
    "GET /orchestrations/counts": 200,
    "POST /orchestrations": 403,
    "GET /schedules": 200,
    "GET /jobs": 200,
    "GET /caller": 200,
    "GET /occurrences": 200,
    "PUT /schedules/{name}": 403,
}
"""The answers of routes where nothing of the service that may not be read is asked for; of others it is 404."""


def context(scopes: str = "", groups: str | None = None) -> dict[str, str]:
    """Return the header that AWS Lambda Web Adapter makes of the context of API Gateway (REST)."""
    claims = {
        "sub": "5b1f0a3e-8c0e-4d53-9d39-2f1f0d1c7a44",
        "token_use": "access",
        "scope": f"background-jobs-test/services {scopes}".strip(),
        "exp": "Tue Nov 24 18:39:39 UTC 2026",
        "client_id": "1example23456789",
    } | ({} if groups is None else {"cognito:groups": groups})
    made = {
        "accountId": "123456789012",
        "stage": "v1",
        "identity": {"sourceIp": "192.0.2.1"},
        "path": "/v1/orchestrations",
        "authorizer": {"claims": claims},
        "httpMethod": "GET",
        "apiId": "a1b2c3",
    }
    return {"x-amzn-request-context": json.dumps(made)}


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    api = ApiSettings(
        allowed_hosts=("testserver",),
        stream_poll_seconds=0.01,
        stream_seconds=1,  # a stream that should not be there ends as well
        user_pool_scopes=True,
    )
    return create_app(settings, api)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


@pytest.fixture
def ours(service: OrchestrationService) -> Orchestration:
    return service.kick_off_job("halve", [{"n": 2}], service="billing")


@pytest.fixture
def theirs(service: OrchestrationService) -> Orchestration:
    """An orchestration of another service, whose name is not the only thing to hide; and a schedule."""
    tags = {"customer": "secret"}
    service.schedule_job("theirs", "halve", [{"n": 2}], cron="0 3 * * *", service="reports", tags=tags)
    return service.kick_off_job("halve", [{"n": 2}], service="reports", tags=tags)


def routes(routes_of: Sequence[Any]) -> list[str]:
    """Return the method and the path of every route, those of included routers as well."""
    found: list[str] = []
    for route in routes_of:
        if (router := getattr(route, "original_router", None)) is not None:
            found += routes(router.routes)
        elif route.path not in OPEN:
            methods = getattr(route, "methods", None) or {"GET"}
            found += [f"{method} {route.path}" for method in methods - {"HEAD", "OPTIONS"}]
    return found


def test_no_route_leads_to_what_belongs_to_another_service(
    app: FastAPI,
    client: TestClient,
    settings: Settings,
    theirs: Orchestration,
    aggregate: Callable[[], Any],
) -> None:
    """A route that is added fails here, unless it goes through its caller."""
    aggregate()
    before = written(settings)
    found = routes(app.routes)
    assert BODIES.keys() <= set(found)
    for route in found:
        method, _, path = route.partition(" ")
        url = (
            path.replace("{orchestration_id}", theirs.id).replace("{name}", "theirs").replace("{index}", "0")
        )
        answer = client.request(
            method, url, headers=context(WRITE), json=BODIES.get(route), params=QUERIES.get(route)
        )
        assert (route, answer.status_code) == (route, ANSWERS.get(route, 404))
        assert "secret" not in answer.text
    assert written(settings) == before


def test_what_may_not_be_read_is_told_apart_from_nothing_by_nobody(
    client: TestClient, theirs: Orchestration
) -> None:
    answers = [
        client.get(f"/orchestrations/{one}", headers=context(WRITE)).text.replace(one, "<id>")
        for one in (theirs.id, UNKNOWN)
    ]
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    "headers",
    [
        context(WRITE),
        context(groups=WRITE),
        context(groups=f"staff,{WRITE}"),
        context("background-jobs-test/write"),
    ],
    ids=["scope", "group", "group among others", "scope for all services"],
)
def test_a_scope_or_a_group_allows_to_kick_off_follow_and_schedule(
    client: TestClient, headers: dict[str, str], aggregate: Callable[[], Any]
) -> None:
    body = {"job_name": "halve", "params": [], "service": "billing"}
    kicked_off = client.post("/orchestrations", headers=headers, json=body)
    assert kicked_off.status_code == 201
    aggregate()
    (listed,) = client.get("/orchestrations", headers=headers).json()["items"]
    assert listed["orchestration_id"] == kicked_off.json()["orchestration_id"]
    made = client.put("/schedules/nightly", headers=headers, json=SCHEDULE | {"service": "billing"})
    assert made.status_code == 201
    (schedule,) = client.get("/schedules", headers=headers).json()["items"]
    assert schedule["name"] == "nightly"


def test_who_may_only_read_is_told_what_to_ask_for(
    client: TestClient, ours: Orchestration, settings: Settings
) -> None:
    url = f"/orchestrations/{ours.id}"
    assert client.get(url, headers=context(READ)).json()["service"] == "billing"
    before = written(settings)
    for path in (f"{url}/cancel", f"{url}/rerun", f"{url}/pipeline/cancel"):
        refused = client.post(path, headers=context(READ), json={})
        assert (refused.status_code, refused.json()["error"]) == (403, "NotAllowed")
        assert "Ask for the scope or the group background-jobs-test.write/billing" in refused.json()["detail"]
    assert written(settings) == before


def test_a_kick_off_that_names_no_service_needs_the_right_for_the_one_of_the_settings(
    client: TestClient,
) -> None:
    refused = client.post("/orchestrations", headers=context(WRITE), json={"job_name": "halve", "params": []})
    assert refused.status_code == 403
    assert "service 'default', which this needs" in refused.json()["detail"]


def test_stages_in_another_service_need_the_right_for_it_as_well(
    client: TestClient, service: OrchestrationService, settings: Settings
) -> None:
    then: dict[str, Any] = {"job_name": "mail", "then": {"job_name": "archive", "service": "reports"}}
    body = {"job_name": "halve", "params": [], "service": "billing", "then": then}
    before = written(settings)
    refused = [
        client.post("/orchestrations", headers=context(WRITE), json=body),
        client.put(
            "/schedules/nightly", headers=context(WRITE), json=SCHEDULE | {"service": "billing", "then": then}
        ),
    ]
    assert [answer.status_code for answer in refused] == [403, 403]
    assert written(settings) == before
    # and what somebody else kicked off is neither shown as a whole, nor run again
    stage = Stage("mail", then=Stage("archive", service="reports"))
    kicked_off = service.kick_off_job("halve", [{"n": 2}], service="billing", then=stage)
    url = f"/orchestrations/{kicked_off.id}"
    assert client.get(url, headers=context(WRITE)).status_code == 200
    assert client.get(f"{url}/pipeline", headers=context(WRITE)).status_code == 403
    assert client.post(f"{url}/rerun", headers=context(WRITE), json={}).status_code == 403


def test_the_schedule_of_another_service_is_not_replaced(client: TestClient, theirs: Orchestration) -> None:
    refused = client.put("/schedules/theirs", headers=context(WRITE), json=SCHEDULE | {"service": "billing"})
    assert refused.status_code == 403
    assert "take another name" in refused.json()["detail"]


def test_the_stream_follows_what_may_be_read(
    client: TestClient, service: OrchestrationService, aggregate: Callable[[], Any]
) -> None:
    done = service.kick_off_job("halve", [], service="billing")
    aggregate()
    aggregate()
    answer = client.get(f"/orchestrations/{done.id}/events", headers=context(READ))
    assert answer.text.rstrip().splitlines()[-1].startswith("data: ")
    assert "event: completed" in answer.text


NOTHING_ALLOWED: list[dict[str, str]] = [
    {},
    {"x-amzn-request-context": ""},
    {"x-amzn-request-context": "null"},
    {"x-amzn-request-context": "not JSON"},
    {"x-amzn-request-context": "[]"},
    {"x-amzn-request-context": '{"authorizer": null}'},
    {"x-amzn-request-context": '{"authorizer": {"claims": {"scope": ["background-jobs-test/write"]}}}'},
    {"x-amzn-request-context": '{"claims": {"scope": "background-jobs-test/write"}}'},
    {"x_amzn_request_context": context("background-jobs-test/write")["x-amzn-request-context"]},
    context(),
    context("background-jobs-dev/write background-jobs-test.write"),
    context(groups="background-jobs-test.write"),
]


def test_a_token_whose_claims_allow_nothing_reaches_nothing(client: TestClient) -> None:
    for headers in NOTHING_ALLOWED:
        for path in ("/orchestrations", f"/orchestrations/{UNKNOWN}", "/schedules"):
            refused = client.get(path, headers=headers)
            assert (headers, refused.status_code, refused.json()["error"]) == (headers, 403, "NotAllowed")
            message = refused.json()["detail"]
            assert "Ask for a scope or a group like background-jobs-test.read/<service>" in message


def test_a_second_header_of_a_client_is_not_taken_for_the_one_of_the_gateway(client: TestClient) -> None:
    name = "x-amzn-request-context"
    headers = [(name, context("background-jobs-test/write")[name]), (name, context(READ)[name])]
    for order in (headers, headers[::-1]):
        assert client.get("/orchestrations", headers=order).status_code == 403


def test_callers_that_iam_allows_are_not_limited_by_a_header(
    settings: Settings, theirs: Orchestration
) -> None:
    app = create_app(settings, ApiSettings(allowed_hosts=("testserver",)))
    with TestClient(app) as client:
        shown = client.get(f"/orchestrations/{theirs.id}", headers=context(READ))
        assert shown.json()["service"] == "reports"


def test_a_stream_token_names_who_asked_for_it(settings: Settings, ours: Orchestration) -> None:
    """It is in the log when the stream is opened, where nobody else has said who they are."""
    api = ApiSettings(
        allowed_hosts=("testserver",), authorization=Authorization.USER_POOL, user_pool_scopes=True
    )
    app = create_app(settings, api)
    with TestClient(app) as client:
        answer = client.post(f"/orchestrations/{ours.id}/stream-tokens", headers=context(READ))
    grant = app.state.stream_tokens.open(answer.json()["token"], datetime.now(UTC))
    assert (grant.orchestration_id, grant.caller) == (ours.id, "5b1f0a3e-8c0e-4d53-9d39-2f1f0d1c7a44")
