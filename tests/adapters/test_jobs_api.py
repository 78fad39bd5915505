"""The routes of jobs, of the caller, and of what a schedule will do."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel

from background_jobs import OrchestrationService, job_name
from background_jobs.jobs import Jobs
from background_jobs.progress_api.app import create_app
from background_jobs.settings import ApiSettings, Settings
from tests.adapters.test_callers import context


class Half(BaseModel):
    n: int
    unit: str = "pieces"


@job_name("halve", timeout=60)
def halve(params: Half) -> None:
    """Halve a number."""


@job_name("bill")
def bill(params: Half) -> None:
    """Send a bill."""


@pytest.fixture
def published(settings: Settings) -> Settings:
    """Two services; one job of the first has published nothing."""
    two = settings.model_copy(
        update={
            "service_names": ("default", "billing"),
            "job_names": ("halve", "bill", "silent"),
            "max_parallelism": 4,
        }
    )
    service = OrchestrationService(two)
    service.publish_jobs(Jobs([halve]).describe())
    service.publish_jobs(Jobs([bill]).describe(), "billing")
    return two


@pytest.fixture
def client(published: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(published, ApiSettings(allowed_hosts=("testserver",)))) as client:
        yield client


@pytest.fixture
def scoped(published: Settings) -> Iterator[TestClient]:
    api = ApiSettings(allowed_hosts=("testserver",), user_pool_scopes=True)
    with TestClient(create_app(published, api)) as client:
        yield client


def test_jobs_are_listed_with_what_their_images_have_published(client: TestClient) -> None:
    bill, halve, silent = client.get("/jobs").json()["items"]
    assert (bill["name"], bill["service"], bill["description"]) == ("bill", "billing", "Send a bill.")
    assert halve["params_schema"]["properties"]["n"]["type"] == "integer"
    assert (halve["timeout_seconds"], halve["retry"]["max_attempts"]) == (60, 1)
    assert (silent["name"], silent["is_described"], silent["service"]) == ("silent", False, None)


def test_jobs_are_listed_in_pages(client: TestClient) -> None:
    first = client.get("/jobs", params={"limit": 2}).json()
    second = client.get("/jobs", params={"limit": 2, "next_token": first["next_token"]}).json()
    assert [job["name"] for job in first["items"] + second["items"]] == ["bill", "halve", "silent"]
    assert second["next_token"] is None


def test_one_job_is_shown_and_an_unknown_one_is_not_there(client: TestClient) -> None:
    assert client.get("/jobs/bill").json()["service"] == "billing"
    unknown = client.get("/jobs/quarter")
    assert (unknown.status_code, unknown.json()["error"]) == (404, "JobNotFound")
    elsewhere = client.get("/jobs/bill", params={"service": "biling"})
    assert elsewhere.status_code == 404
    assert "There is no job named 'bill'. This service has: no jobs at all." in elsewhere.json()["detail"]


def test_a_job_goes_before_one_that_has_its_name_as_an_alias(client: TestClient, published: Settings) -> None:
    """Where both could run it, as a job that moves from service to service."""
    moved = job_name("sent", aliases=["bill"])(lambda params: None)
    OrchestrationService(published).publish_jobs(Jobs([moved]).describe(), "halving")
    services = published.model_copy(update={"service_names": ("halving", "default", "billing")})
    found = OrchestrationService(services)
    assert (found.job("bill").service, found.job("bill", "halving").name) == ("billing", "sent")


def test_a_preview_says_what_would_run_and_starts_nothing(client: TestClient) -> None:
    body = {"params": [{"n": number} for number in range(10)]}
    preview = client.post("/jobs/halve/preview", json=body).json()
    assert (preview["instances"], preview["containers"], preview["instances_per_container"]) == (10, 4, 3)
    assert (preview["first_params"][0], preview["problems"]) == ({"n": 0}, [])
    assert client.get("/orchestrations").json()["items"] == []


def test_a_preview_names_the_fields_that_do_not_fit(client: TestClient) -> None:
    body = {"params": [{"n": 1}, {"n": "many"}, {"unit": 3}, "none"]}
    problems = client.post("/jobs/halve/preview", json=body).json()["problems"]
    assert [(one["index"], one["field"]) for one in problems] == [(1, "n"), (2, "n"), (2, "unit"), (3, "")]
    assert problems[0]["message"] == 'must be a whole number, not "many"'


def test_a_caller_is_told_what_it_may_do(client: TestClient, scoped: TestClient) -> None:
    assert client.get("/caller").json()["writable"] is None
    headers = context("background-jobs-test.read/billing")
    told = scoped.get("/caller", headers=headers).json()
    assert (told["readable"], told["writable"]) == (["billing"], [])


def test_a_caller_sees_the_jobs_of_its_services_alone(scoped: TestClient) -> None:
    headers = context("background-jobs-test.read/billing")
    assert [job["name"] for job in scoped.get("/jobs", headers=headers).json()["items"]] == ["bill"]
    assert scoped.get("/jobs/halve", headers=headers).status_code == 404
    refused = scoped.post("/jobs/bill/preview", json={"params": [{"n": 1}]}, headers=headers)
    assert refused.status_code == 403


@pytest.fixture
def nightly(client: TestClient) -> dict[str, Any]:
    body = {
        "job_name": "halve",
        "params": [{"n": 1}],
        "cron": "0 3 * * *",
        "retry": {"max_attempts": 4},
        "tags": {"customer": "acme"},
        "timeout_seconds": 600,
    }
    assert client.put("/schedules/nightly", json=body).status_code == 201
    return body


@pytest.mark.usefixtures("nightly")
def test_a_definition_that_is_changed_and_sent_back_keeps_everything_else(client: TestClient) -> None:
    definition = client.get("/schedules/nightly/definition").json()
    assert (definition["params"], definition.pop("declared")) == ([{"n": 1}], False)

    changed = client.put("/schedules/nightly", json=definition | {"cron": "0 4 * * *"})

    assert (changed.status_code, changed.json()["due"]) == (200, "cron(0 4 * * ? *)")
    kept = client.get("/schedules/nightly/definition").json()
    assert {name: kept[name] for name in ("tags", "timeout_seconds", "params")} == {
        name: definition[name] for name in ("tags", "timeout_seconds", "params")
    }
    assert kept["retry"]["max_attempts"] == 4


@pytest.mark.usefixtures("nightly")
def test_the_occurrences_of_a_week_are_listed_unless_the_schedule_is_paused(client: TestClient) -> None:
    now = datetime.now(UTC)
    week = {"from": now.isoformat(), "to": (now + timedelta(days=7)).isoformat()}
    (listed,) = client.get("/occurrences", params=week).json()["items"]
    assert (listed["schedule"], len(listed["occurrences"]), listed["has_more"]) == ("nightly", 7, False)

    client.put("/schedules/often", json={"job_name": "halve", "every": 60})
    often = client.get("/occurrences", params=week).json()["items"][1]
    assert (len(often["occurrences"]), often["has_more"]) == (250, True)

    for name in ("nightly", "often"):
        client.post(f"/schedules/{name}/pause")
    assert client.get("/occurrences", params=week).json()["items"] == []


def test_a_time_that_is_no_calendar_is_refused(client: TestClient) -> None:
    year = {"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}
    refused = client.get("/occurrences", params=year)
    assert (refused.status_code, refused.json()["error"]) == (422, "InvalidTimeRange")


@pytest.mark.usefixtures("nightly")
def test_a_backfill_shows_what_it_would_run_before_it_does(client: TestClient) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    span = {"from": (today - timedelta(days=3)).isoformat(), "to": today.isoformat()}

    preview = client.get("/schedules/nightly/backfill", params=span).json()

    assert (len(preview["occurrences"]), preview["ran"]) == (3, 0)
    assert client.get("/orchestrations").json()["items"] == []
    ran = client.post("/schedules/nightly/backfill", json=span | {"overlap": "allow"}).json()["items"]
    assert [run["scheduled_at"] for run in ran] == preview["occurrences"]
    after = client.get("/schedules/nightly/backfill", params=span).json()
    assert (after["occurrences"], after["ran"]) == ([], 3)
