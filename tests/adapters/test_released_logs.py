"""Logs as earlier releases stored them, item by item; the files are never edited, only added to."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from background_jobs import OrchestrationService
from background_jobs.aws import clients
from background_jobs.aws.stores import Stores
from background_jobs.cli.main import app as command_line
from background_jobs.control_plane.rebuild import differences
from background_jobs.settings import Settings

LOGS = sorted((Path(__file__).parents[1] / "histories").glob("v*/logs/*.json"))


@pytest.fixture(params=LOGS, ids=[path.stem for path in LOGS])
def log(request: pytest.FixtureRequest, settings: Settings) -> dict[str, Any]:
    """A released log with its payloads, put where they were."""
    recorded: dict[str, Any] = json.loads(request.param.read_text())
    for item in recorded["items"]:
        for attribute in item.values():
            if "B" in attribute:
                attribute["B"] = base64.b64decode(attribute["B"])
        clients.dynamodb().put_item(TableName=settings.event_log_table, Item=item)
    for key, body in recorded["payloads"].items():
        clients.s3().put_object(Bucket=settings.payload_bucket, Key=key, Body=body)
    return recorded


def test_a_released_log_is_folded_shown_and_rebuilt_as_it_was(
    log: dict[str, Any],
    service: OrchestrationService,
    stores: Stores,
    settings: Settings,
    aggregate: Callable[[], list[Any]],
) -> None:
    orchestration_id = log["items"][0]["pk"]["S"].partition("#")[2]

    assert aggregate() == []

    successes, failures = service.get_job_results(orchestration_id, timeout=0)
    assert [[one.index, one.result, one.attempts] for one in successes] == log["results"]
    assert [[one.index, one.params, one.error.type, one.error.message] for one in failures or []] == log[
        "failures"
    ]
    assert differences(orchestration_id, stores) == []
    shown = CliRunner().invoke(command_line, ["show", orchestration_id, "--json"], env=settings.to_env())
    assert shown.exit_code == 0
    assert json.loads(shown.stdout)["event_history"]["later_events"] == []


def test_what_a_released_log_has_of_an_orchestration_may_run_again(
    log: dict[str, Any], service: OrchestrationService, aggregate: Callable[[], list[Any]]
) -> None:
    orchestration_id = log["items"][0]["pk"]["S"].partition("#")[2]
    assert aggregate() == []

    rerun = service.orchestration(orchestration_id).rerun()

    assert [rerun.instance(index).params for index in range(len(log["failures"]))] == [
        params for _, params, *_ in log["failures"]
    ]
