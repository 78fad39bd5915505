"""What is given over HTTP and on the command line arrives: options in events, schedules and their runs."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from background_jobs import OrchestrationService, Retry
from background_jobs.aws.stores import Stores
from background_jobs.cli.main import app as command_line
from background_jobs.core.events import OrchestrationStarted
from background_jobs.progress_api.app import create_app
from background_jobs.settings import ApiSettings, Settings

PARENT = "0b0e3f3c-1c58-4c0e-9d54-6f3c2d0a7c11"
CRON = {"job_name": "halve", "params": [{"n": 2}], "cron": "0 3 * * *"}


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    api = ApiSettings(allowed_hosts=("testserver",))
    with TestClient(create_app(settings, api)) as client:
        yield client


@pytest.fixture
def run(settings: Settings) -> Callable[..., Any]:
    def run(*words: str, stdin: str = "") -> Any:
        answer = CliRunner().invoke(command_line, [*words, "--json"], input=stdin, env=settings.to_env())
        assert answer.exit_code == 0, answer.output
        return json.loads(answer.stdout)

    return run


def given(started: OrchestrationStarted) -> tuple[Any, ...]:
    seconds = (started.deadline - started.at).total_seconds() if started.deadline else None
    return started.parent_id, started.retry, started.tags, started.service, seconds


def test_every_option_of_a_kick_off_arrives_over_http(client: TestClient, stores: Stores) -> None:
    body = {
        "job_name": "halve", "params": [{"n": 2}], "parent_id": PARENT, "retry": {"max_attempts": 5},
        "tags": {"customer": "acme"}, "service": "billing", "timeout_seconds": 60, "key": "once",
        "then": {"job_name": "load"},
    }  # fmt: skip
    answer = client.post("/orchestrations", json=body)
    assert answer.status_code == 201, answer.text
    started = stores.event_log.read_started(answer.json()["orchestration_id"])
    assert given(started) == (PARENT, Retry(max_attempts=5), {"customer": "acme"}, "billing", 60)
    assert (started.idempotency_key, started.then and started.then.job_name) == ("once", "load")


def test_every_option_of_a_kick_off_arrives_from_the_command_line(
    run: Callable[..., Any], stores: Stores
) -> None:
    answer = run(
        "kick-off", "halve", "-", "--parent", PARENT, "--max-attempts", "5", "--tag", "customer=acme",
        "--service", "billing", "--timeout", "1m", "--key", "once", "--then", "load",
        stdin='{"n": 2}',
    )  # fmt: skip
    started = stores.event_log.read_started(answer["orchestration_id"])
    assert given(started) == (PARENT, Retry(max_attempts=5), {"customer": "acme"}, "billing", 60)
    assert (started.idempotency_key, started.then and started.then.job_name) == ("once", "load")


def test_a_rerun_takes_other_tags_over_http_and_keeps_them_where_none_are_given(
    client: TestClient, stores: Stores, done: str
) -> None:
    def rerun(**body: Any) -> OrchestrationStarted:
        answer = client.post(f"/orchestrations/{done}/rerun", json=body)
        assert answer.status_code == 201, answer.text
        return stores.event_log.read_started(answer.json()["orchestration_id"])

    other = rerun(tags={"why": "again"}, timeout_seconds=60)
    assert given(other) == (done, None, {"why": "again"}, "default", 60)
    assert rerun(tags=None).tags == rerun().tags == {"customer": "acme"}
    assert rerun(tags={}).tags == {}


def test_a_rerun_takes_other_tags_from_the_command_line(
    run: Callable[..., Any], stores: Stores, done: str
) -> None:
    other = run("rerun", done, "--tag", "why=again", "--only", "all")
    started = stores.event_log.read_started(other["orchestration_id"])
    assert (started.tags, started.rerun_only) == ({"why": "again"}, "all")
    kept = stores.event_log.read_started(run("rerun", done)["orchestration_id"])
    assert (kept.tags, kept.rerun_only) == ({"customer": "acme"}, "failed")


def test_a_schedule_is_made_and_redefined_over_http_and_its_runs_get_its_options(
    client: TestClient, stores: Stores
) -> None:
    options = {"retry": {"max_attempts": 5}, "timeout_seconds": 60, "tags": {"customer": "acme"}}
    made = client.put("/schedules/nightly", json=CRON | options | {"overlap": "allow", "jitter": "PT5M"})
    assert made.status_code == 201, made.text
    shown = made.json()
    assert (shown["due"], shown["overlap"], shown["jitter_minutes"]) == ("cron(0 3 * * ? *)", "allow", 5)
    client.post("/schedules/nightly/pause")
    every = {"job_name": "halve", "params": [{"n": 4}], "every": 5400}
    again = client.put("/schedules/nightly", json=every | options).json()
    assert (again["due"], again["state"]) == ("rate(90 minutes)", "paused")
    run = client.post("/schedules/nightly/run-now", json={}).json()
    started = stores.event_log.read_started(run["orchestration_id"])
    assert (started.retry, started.tags["customer"]) == (Retry(max_attempts=5), "acme")
    assert started.deadline == started.at + timedelta(minutes=1)


def test_the_past_of_a_schedule_is_run_over_http(client: TestClient) -> None:
    assert client.put("/schedules/nightly", json=CRON).status_code == 201
    until = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    span = {"from": (until - timedelta(days=3)).isoformat(), "to": until.isoformat()}
    answer = client.post("/schedules/nightly/backfill", json=span | {"overlap": "allow"})
    assert (answer.status_code, [run["state"] for run in answer.json()["items"]]) == (201, ["started"] * 3)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("PUT", "/schedules/nightly", CRON | {"cron": "61 * * * *"}, 422, "InvalidSchedule"),
        ("PUT", "/schedules/nightly", CRON | {"every": 60}, 422, "InvalidSchedule"),
        ("PUT", "/schedules/nightly", CRON | {"parallelism": 101}, 422, "InvalidKickOff"),
        ("PUT", "/schedules/nightly", CRON | {"key": "once"}, 422, "InvalidRequest"),
        ("PUT", "/schedules/nightly", CRON | {"params": []}, 422, "InvalidRequest"),
        ("PUT", "/schedules/not%20a%20name", CRON, 422, "InvalidRequest"),
        (
            "POST",
            "/schedules/kept/backfill",
            {"from": "2999-01-01T00:00Z", "to": "2999-01-02T00:00Z"},
            422,
            "InvalidBackfill",
        ),
        ("POST", "/schedules/kept/backfill", {"from": "2026-01-01T00:00Z"}, 422, "InvalidRequest"),
        ("POST", "/orchestrations", {"job_name": "a", "params": [], "parent_id": "x"}, 422, "InvalidRequest"),
    ],
)
def test_what_cannot_be_over_http_is_refused_with_a_sentence(  # noqa: PLR0913, PLR0917 -- a table's columns
    client: TestClient, method: str, path: str, body: Any, status: int, error: str
) -> None:
    assert client.put("/schedules/kept", json=CRON).status_code == 201
    answer = client.request(method, path, json=body)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert len(answer.json()["detail"]) > 20
    assert [schedule["name"] for schedule in client.get("/schedules").json()["items"]] == ["kept"]


def test_an_api_that_was_not_told_whom_schedules_invoke_says_so(settings: Settings) -> None:
    bare = settings.model_copy(update={"schedule_function": ""})
    with TestClient(create_app(bare, ApiSettings(allowed_hosts=("testserver",)))) as client:
        answer = client.put("/schedules/nightly", json=CRON)
    assert (answer.status_code, answer.json()["error"]) == (503, "MissingSettings")


def test_a_schedule_made_on_the_command_line_retries_as_it_was_told(
    run: Callable[..., Any], service: OrchestrationService
) -> None:
    run("schedule", "create", "nightly", "halve", "--cron", "0 3 * * *", "--max-attempts", "5")
    assert service.schedule("nightly").definition.retry == Retry(max_attempts=5)
