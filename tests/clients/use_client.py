"""What a team does with the Python client that it has made of docs/openapi.json: ``use_client.py URL``.

It runs in an environment without the SDK. Whatever the document says an operation answers must be parsed.
"""

import importlib
import json
import pkgutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from background_jobs_client import Client, api, models

UNKNOWN = "0b0e3f3c-1c58-4c0e-9d54-6f3c2d0a7c11"
DOCUMENT: dict[str, Any] = json.loads(Path(sys.argv[2]).read_text())
CLIENT = Client(base_url=sys.argv[1], timeout=httpx.Timeout(120), raise_on_unexpected_status=True)
OPERATIONS = {
    name.rpartition(".")[2]: importlib.import_module(name)
    for _, name, is_package in pkgutil.walk_packages(api.__path__, f"{api.__name__}.")
    if not is_package
}
used: set[str] = set()


def ask(operation: str, *args: Any, **options: Any) -> Any:
    """Call an operation that must succeed, and return what it answers, parsed."""
    answer = OPERATIONS[operation].sync_detailed(*args, client=CLIENT, **options)
    assert answer.status_code < 300, (operation, answer)
    assert not isinstance(answer.parsed, models.Problem)
    used.add(operation)
    return answer.parsed


def refused(status: int, error: str, operation: str, *args: Any, **options: Any) -> None:
    """Call an operation that must be refused with a problem."""
    answer = OPERATIONS[operation].sync_detailed(*args, client=CLIENT, **options)
    assert (answer.status_code, answer.parsed.error) == (status, error), answer
    assert answer.parsed.status == status
    assert answer.headers["content-type"] == "application/problem+json"


def body(name: str, **fields: Any) -> Any:
    return getattr(models, name).from_dict(fields)


def use_orchestrations() -> None:
    params = [{"n": n} for n in (2, 3, 4)]
    started = ask(
        "kick_off_job", body=body("KickOffBody", job_name="halve", params=params, tags={"customer": "acme"})
    )
    done = started.orchestration_id
    assert "event: completed" in ask("watch_orchestration", done)
    token = ask("create_stream_token", done).token
    assert "event: completed" in ask("watch_with_token", token=token)
    assert ask("show_orchestration", done).counts.errored == 1
    assert ask("list_orchestrations", customer="acme").items[0].orchestration_id == done
    first = ask("list_instances", done, limit=2)
    assert [one.index for one in ask("list_instances", done, next_token=first.next_token).items] == [2]
    assert ask("show_instance", done, 1).error.message == "3 is odd"
    assert [one.result for one in ask("list_results", done).items] == [1, 2]
    assert ask("list_failures", done).items[0].params["n"] == 3
    (cause,) = ask("list_causes", done).items
    assert [one.index for one in ask("list_instances", done, cause=cause.cause_id).items] == [1]
    assert sum(ask("show_throughput", done).completed) == 2
    assert ask("show_event_history", done).timeline
    assert ask("list_waits", done).items == []
    assert len(ask("show_pipeline", done).stages) == 1
    assert ask("count_orchestrations").errored == 1
    assert ask("list_containers", done).items
    assert ask("show_cost", done)
    assert ask("show_logs", done).next_token
    assert ask("show_instance_logs", done, 1).next_token
    assert ask("show_report", done).startswith("<!doctype html>")
    change = body("RerunBody", cause=cause.cause_id, params_patch={"n": 8})
    assert ask("preview_rerun", done, body=change).params[0].after["n"] == 8
    again = ask("rerun_orchestration", done, body=change).orchestration_id
    ask("watch_orchestration", again)
    assert ask("compare_orchestrations", again)
    for operation in ("cancel_orchestration", "cancel_pipeline"):
        endless = ask("kick_off_job", body=body("KickOffBody", job_name="wait_for_ever", params=[{}]))
        assert ask(operation, endless.orchestration_id).found == "requested"
        ask("watch_orchestration", endless.orchestration_id)


def use_jobs() -> None:
    assert ask("show_caller").writable is None
    assert "halve" in [one.name for one in ask("list_jobs").items]
    assert ask("show_job", "halve").name == "halve"
    assert ask("preview_kick_off", "halve", body=body("PreviewBody", params=[{"n": 2}])).instances == 1


def use_schedules() -> None:
    schedule = body("ScheduleBody", job_name="halve", params=[{"n": 2}], cron="0 3 * * *")
    for _ in ("made", "redefined"):
        assert ask("define_schedule", "nightly", body=schedule).state == "active"
    assert [one.name for one in ask("list_schedules").items] == ["nightly"]
    assert ask("pause_schedule", "nightly").state == "paused"
    assert ask("resume_schedule", "nightly").next_runs
    assert ask("run_schedule_now", "nightly").orchestration_id
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    yesterday = midnight - timedelta(days=1)
    span = body("BackfillBody", **{"from": yesterday.isoformat(), "to": midnight.isoformat()})
    assert len(ask("preview_backfill", "nightly", from_=yesterday, to=midnight).occurrences) == 1
    assert len(ask("backfill_schedule", "nightly", body=span).items) == 1
    tomorrow = midnight + timedelta(days=1)
    assert [
        one.schedule for one in ask("list_occurrences", from_=tomorrow, to=tomorrow + timedelta(days=1)).items
    ] == ["nightly"]
    assert ask("show_schedule_definition", "nightly").params[0]["n"] == 2
    assert ask("list_schedule_runs", "nightly").items
    assert ask("show_schedule", "nightly").name == "nightly"
    ask("delete_schedule", "nightly")


def meet_refusals() -> None:
    kick_off = "kick_off_job"
    refused(422, "UnknownJobName", kick_off, body=body("KickOffBody", job_name="havle", params=[]))
    refused(
        422,
        "InvalidKickOff",
        kick_off,
        body=body("KickOffBody", job_name="halve", params=[], parallelism=101),
    )
    refused(422, "InvalidRequest", kick_off, body=body("KickOffBody", job_name="", params=[]))
    ask(kick_off, body=body("KickOffBody", job_name="halve", params=[{"n": 2}], key="once"))
    refused(
        409, "KickOffConflict", kick_off, body=body("KickOffBody", job_name="halve", params=[], key="once")
    )
    large = [{"text": "x" * 7_000_000}]
    refused(413, "RequestTooLarge", kick_off, body=body("KickOffBody", job_name="halve", params=large))
    refused(404, "OrchestrationNotFound", "show_orchestration", UNKNOWN)
    refused(422, "InvalidRequest", "show_orchestration", "no-id")
    refused(404, "ScheduleNotFound", "pause_schedule", "none")
    refused(401, "StreamTokenRefused", "watch_with_token", token="none")


def parse_whatever_is_documented() -> None:
    """Let each operation parse a problem of every status that the document names for it."""
    problem = CLIENT.get_httpx_client().get("/none").json()
    for methods in DOCUMENT["paths"].values():
        for operation in methods.values():
            parse = OPERATIONS[operation["operationId"]]._build_response
            for status in map(int, operation["responses"]):
                if status >= 400:
                    answer = httpx.Response(status, json=problem)
                    assert isinstance(parse(client=CLIENT, response=answer).parsed, models.Problem)


use_orchestrations()
use_jobs()
use_schedules()
meet_refusals()
parse_whatever_is_documented()
unused = OPERATIONS.keys() - used
assert not unused, unused
sys.stdout.write(f"{len(used)} operations\n")
