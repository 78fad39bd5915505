"""What lists tell beside counts: standstills, launches that wait, cancellations, retries and pipelines."""

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from background_jobs import OrchestrationService, OrchestrationStatus, Stage
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.close_unfinished import CloseRequest, close_unfinished
from background_jobs.core.containers.delays import DelayReason
from background_jobs.core.events import (
    ContainerStarted,
    JobAttemptFailed,
    JobError,
    OrchestrationStarted,
    ShareDelayed,
)
from background_jobs.progress_api.app import create_app
from background_jobs.settings import ApiSettings, Settings
from tests.adapters.cli.commands import run, run_on_terminal
from tests.memory import append_events

HOUR = timedelta(hours=1)


@pytest.fixture
def client(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    for name, value in settings.to_env().items():
        monkeypatch.setenv(name, value)
    with TestClient(create_app(settings, ApiSettings(allowed_hosts=("testserver",)))) as client:
        yield client


@pytest.fixture
def quiet(stores: Stores) -> OrchestrationStarted:
    """An orchestration of two instances that was kicked off an hour ago, in which nothing has moved since."""
    started = OrchestrationStarted(
        orchestration_id=str(uuid.uuid4()), at=datetime.now(UTC) - HOUR, job_name="halve", service="default",
        total=2, parallelism=2, params_digest="0" * 64,
    )  # fmt: skip
    append_events(stores, started)
    return started


def delay(started: OrchestrationStarted, share: int) -> ShareDelayed:
    return ShareDelayed(
        orchestration_id=started.orchestration_id, at=started.at, share=share, number=0,
        reason=DelayReason.QUOTA, detail="the limit on vCPUs",
    )  # fmt: skip


def test_a_standstill_is_told_by_the_api_and_by_the_commands_with_what_launches_wait_for(
    client: TestClient, stores: Stores, aggregate: Callable[[], list[Any]], quiet: OrchestrationStarted
) -> None:
    append_events(stores, delay(quiet, 0), delay(quiet, 1))
    assert aggregate() == []
    why = "2 instances wait (a quota is reached)"
    (listed,) = client.get("/orchestrations").json()["items"]
    shown = client.get(f"/orchestrations/{quiet.orchestration_id}").json()
    for view in (listed, shown):
        assert (view["standstill"]["why"], view["waits_for"]) == (why, DelayReason.QUOTA)
        assert datetime.fromisoformat(view["standstill"]["since"]) == quiet.at
        assert view["eta_seconds"] is None
    assert client.get("/orchestrations/counts").json() == {
        "in_progress": 1, "standing_still": 1, "waiting_for_launch": 1, "errored": 0, "truncated": False,
    }  # fmt: skip
    assert f"nothing has moved for 1h, since {quiet.at.astimezone():%Y-%m-%d %H:%M:%S %Z}: {why}" in " ".join(
        run_on_terminal("show", quiet.orchestration_id).stdout.split()
    )
    assert run("list", "--json").stdout.count(why) == 1
    # once the containers of both shares began, nothing waits for their launch
    append_events(
        stores,
        *(
            ContainerStarted(
                orchestration_id=quiet.orchestration_id, at=quiet.at + HOUR / 2, share=share, launch=0,
                first=share, last=share,
            )
            for share in range(2)
        ),
    )  # fmt: skip
    assert client.get(f"/orchestrations/{quiet.orchestration_id}").json()["waits_for"] is None


def test_what_was_cancelled_is_listed_as_that_and_not_among_what_errored(
    client: TestClient,
    service: OrchestrationService,
    stores: Stores,
    aggregate_completion: Callable[[], None],
) -> None:
    cancelled, errored, completed = (service.kick_off_job("halve", [{"n": 2}] * n) for n in (1, 1, 0))
    for orchestration in (cancelled, completed):
        orchestration.cancel("wrong month")
    for orchestration in (cancelled, errored, completed):
        close_unfinished(CloseRequest(orchestration_id=orchestration.id), stores)
    aggregate_completion()

    for status, expected in (("Cancelled", cancelled), ("Errored", errored), ("Completed", completed)):
        (view,) = client.get("/orchestrations", params={"status": status}).json()["items"]
        assert (view["orchestration_id"], view["status"]) == (expected.id, status)
        assert run("list", "--status", status.lower()).stdout.startswith(expected.id)
        (summary,) = service.history(status=OrchestrationStatus(status)).summaries
        assert summary.status is OrchestrationStatus(status)
    assert "status      Cancelled" in run_on_terminal("show", cancelled.id).stdout
    # while an instance has no status but the three
    (instance,) = client.get(f"/orchestrations/{cancelled.id}/instances").json()["items"]
    assert instance["status"] == "Errored"


def test_a_stage_that_is_done_names_the_status_of_its_pipeline(
    client: TestClient,
    service: OrchestrationService,
    launch: Callable[..., None],
    aggregate_completion: Callable[[], None],
) -> None:
    first = service.kick_off_job("halve", [{"n": 2}], then=Stage("halve", params=[{"n": 4}]))
    launch(first)
    aggregate_completion()
    (listed,) = client.get("/orchestrations").json()["items"]
    for view in (listed, client.get(f"/orchestrations/{first.id}").json()):
        assert (view["status"], view["pipeline_status"]) == ("Completed", "InProgress")


def test_what_backs_off_is_among_the_causes(
    client: TestClient,
    service: OrchestrationService,
    stores: Stores,
    aggregate: Callable[[], list[Any]],
) -> None:
    orchestration = service.kick_off_job("halve", [{"n": 2}] * 3, parallelism=1)
    now = datetime.now(UTC)
    append_events(
        stores,
        *(
            JobAttemptFailed(
                orchestration_id=orchestration.id, at=now, index=1, attempt=attempt,
                error=JobError(type="OSError", message=f"away at {word}"), retry_at=now + HOUR,
            )
            for attempt, word in ((1, "first"), (2, "last"))
        ),
    )  # fmt: skip
    assert aggregate() == []
    digest = client.get(f"/orchestrations/{orchestration.id}/causes").json()
    assert (digest["failed"], digest["retrying"]) == (0, 1)
    (cause,) = digest["items"]
    chosen = {"cause": cause["cause_id"]}
    listed = client.get(f"/orchestrations/{orchestration.id}/instances", params=chosen).json()["items"]
    assert [instance["index"] for instance in listed] == [1]
    assert (cause["message"], cause["count"], cause["retrying"], cause["indices"]) == (
        "away at last",
        0,
        1,
        [1],
    )
    assert run("failures", orchestration.id).stdout.startswith("0\t1\tOSError\t")
    assert "1 retrying" in run_on_terminal("failures", orchestration.id).stdout
