"""Schedules through the whole path: Scheduler, the function, the log, the bus and back."""

import asyncio
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import boto3
import pytest

from background_jobs import (
    InvalidSchedule,
    OrchestrationService,
    OrchestrationStatus,
    RunState,
    Schedule,
    ScheduleNotFound,
    ScheduleState,
    Stage,
    aio,
)
from background_jobs.core.ids import occurrence_id
from background_jobs.core.schedules.definition import Target, scheduler_properties
from background_jobs.local_stack import LocalStack
from tests.offline import until

PATIENCE = 120


@pytest.fixture
def name(service: OrchestrationService) -> Iterator[str]:
    name = f"s-{uuid.uuid4()}"
    yield name
    for schedule in service.schedules():
        if schedule.name.startswith(name):
            schedule.delete()


def invoke(stack: LocalStack, schedule: Schedule, at: datetime) -> None:
    """Invoke the function with what Scheduler hands it at *at*."""
    target = scheduler_properties(schedule.definition, "group", Target("function", "role", "queue"))["Target"]
    occurrence = target["Input"].replace("<aws.scheduler.scheduled-time>", f"{at:%Y-%m-%dT%H:%M:%SZ}")
    answer = boto3.client("lambda").invoke(
        FunctionName=stack.settings.schedule_function, Payload=occurrence.encode()
    )
    assert "FunctionError" not in answer, answer["Payload"].read()


def has_completed_runs(schedule: Schedule, number: int) -> bool:
    runs = schedule.runs()
    return len(runs) == number and all(run.status is OrchestrationStatus.COMPLETED for run in runs)


def test_what_is_due_runs_by_itself_by_the_clocks_of_its_zone(
    service: OrchestrationService, name: str
) -> None:
    zone = ZoneInfo("Asia/Kathmandu")  # 5:45 ahead of UTC
    due = (datetime.now(zone) + timedelta(seconds=65)).replace(second=0, microsecond=0)
    params = [{"values": [1, 2]}]
    cron = f"{due:%M} {due:%H} * * *"
    daily = service.schedule_job(
        f"{name}-daily", "total", params, cron=cron, timezone=zone.key, tags={"customer": "acme"}
    )
    once = service.schedule_job(f"{name}-once", "total", params, at=due)
    elsewhere = service.schedule_job(f"{name}-utc", "total", params, cron=cron)
    paused = service.schedule_job(f"{name}-paused", "total", params, cron="* * * * *")
    paused.pause()
    assert daily.next_runs(2) == [due, due + timedelta(days=1)]

    for schedule in (daily, once):
        until(lambda schedule=schedule: has_completed_runs(schedule, 1), PATIENCE)  # type: ignore[misc] # bound now
        (run,) = schedule.runs()
        assert run.scheduled_at == due
        assert run.orchestration_id == occurrence_id(schedule.name, due)
    (success,) = service.get_job_results(occurrence_id(daily.name, due)).successes
    assert success.result == {"total": 3, "index": 0, "customer": "acme"}
    assert (paused.runs(), elsewhere.runs()) == ([], [])
    assert until(lambda: service.schedule(once.name).state is ScheduleState.OVER)
    assert once.name not in [schedule.name for schedule in service.schedules()]
    paused.resume()
    assert service.schedule(paused.name).state is ScheduleState.ACTIVE


def test_a_delivery_that_comes_twice_starts_once(
    service: OrchestrationService, stack: LocalStack, name: str
) -> None:
    schedule = service.schedule_job(name, "total", [{"values": [1]}], cron="0 3 * * *", overlap="allow")
    due = datetime.now(UTC).replace(second=0, microsecond=0)
    for _ in range(2):
        invoke(stack, schedule, due)
    until(lambda: has_completed_runs(schedule, 1), PATIENCE)
    invoke(stack, schedule, due)
    assert has_completed_runs(schedule, 1)


def test_an_overlap_is_skipped_and_seen_in_the_history(
    service: OrchestrationService, stack: LocalStack, name: str, tmp_path: Path
) -> None:
    params = {"running": str(tmp_path / "running"), "until": str(tmp_path / "until")}
    schedule = service.schedule_job(name, "patient", [params], cron="0 3 * * *")
    first = schedule.run_now()
    until((tmp_path / "running").exists)
    invoke(stack, schedule, datetime.now(UTC) + timedelta(minutes=1))
    skipped, started = schedule.runs()
    assert (skipped.state, started.status) == (RunState.SKIPPED, OrchestrationStatus.IN_PROGRESS)
    assert skipped.reason.endswith("was still in progress")
    assert schedule.run_now(force=True).state is RunState.STARTED
    (tmp_path / "until").touch()
    assert first.orchestration_id is not None
    service.get_job_results(first.orchestration_id, timeout=PATIENCE)


def test_what_is_queued_starts_when_the_run_before_completes(
    service: OrchestrationService, stack: LocalStack, name: str, tmp_path: Path
) -> None:
    params = {"running": str(tmp_path / "running"), "until": str(tmp_path / "until")}
    schedule = service.schedule_job(name, "patient", [params], cron="0 3 * * *", overlap="queue")
    hours = [datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=n) for n in (3, 2, 1)]
    for at in hours:
        invoke(stack, schedule, at)
    assert [run.state for run in schedule.runs()] == [RunState.QUEUED, RunState.QUEUED, RunState.STARTED]
    (tmp_path / "until").touch()
    until(lambda: has_completed_runs(schedule, 3), PATIENCE)
    runs = schedule.runs()
    assert [run.scheduled_at for run in runs] == hours[::-1]
    spans = [service.orchestration(run.orchestration_id or "").summary() for run in reversed(runs)]
    for before, after in pairwise(spans):
        assert before.completed_at is not None
        assert after.started_at is not None
        assert before.completed_at < after.started_at


@pytest.mark.parametrize("on_failure", ["continue", "stop"])
def test_a_run_that_is_queued_behind_a_pipeline_starts_when_no_further_stage_follows(
    service: OrchestrationService, stack: LocalStack, name: str, tmp_path: Path, on_failure: Any
) -> None:
    # given a run with two stages, of which the first waits and then errors, and a queued run behind it
    running, release = tmp_path / "running", tmp_path / "until"
    params = [{"running": str(running), "until": str(release)}, {"running": "/"}]
    then = Stage("total", params={"values": [7]}, on_failure=on_failure)
    schedule = service.schedule_job(name, "patient", params, cron="0 3 * * *", overlap="queue", then=then)
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    for hours in (2, 1):
        invoke(stack, schedule, now - timedelta(hours=hours))
    assert [run.state for run in schedule.runs()] == [RunState.QUEUED, RunState.STARTED]
    # when the first stage ends
    release.touch()
    until(lambda: [run.status for run in schedule.runs()] == [OrchestrationStatus.ERRORED] * 2, PATIENCE)
    # then the queued run starts after the second stage, or at once if failures stop the pipeline
    second, first = (service.pipeline(run.orchestration_id or "").stages() for run in schedule.runs())
    ends = [stage.summary.completed_at for stage in first if stage.summary and stage.summary.completed_at]
    begins = [stage.summary.started_at for stage in second if stage.summary and stage.summary.started_at]
    assert max(ends) < min(begins)
    assert [stage.skipped is None for stage in first] == [True, on_failure == "continue"]


def test_a_backfill_runs_the_past_one_after_the_other(service: OrchestrationService, name: str) -> None:
    schedule = service.schedule_job(name, "total", [{"values": [1]}], cron="0 * * * *")
    now = datetime.now(UTC)
    backfilled = schedule.backfill(now - timedelta(hours=3), now, overlap="queue")
    assert [run.state for run in backfilled] == [RunState.STARTED, RunState.QUEUED, RunState.QUEUED]
    until(lambda: has_completed_runs(schedule, 3), PATIENCE)
    assert schedule.backfill(now - timedelta(hours=3), now) == []


def test_the_async_twin_does_the_same(name: str) -> None:
    async def use_a_schedule() -> list[RunState]:
        service = aio.OrchestrationService()
        schedule = await service.schedule_job(name, "total", [{"values": [1]}], every=timedelta(hours=1))
        await schedule.pause()
        assert (await service.schedule(name)).state is ScheduleState.PAUSED
        await schedule.resume()
        assert len(await schedule.next_runs(3)) == 3
        now = datetime.now(UTC)
        assert await schedule.backfill(now - timedelta(hours=2), now) == []
        run = await schedule.run_now()
        await (await service.orchestration(run.orchestration_id or "")).wait(PATIENCE)
        assert name in [schedule.name for schedule in await service.schedules()]
        await schedule.delete()
        return [run.state for run in await schedule.runs()]

    assert asyncio.run(use_a_schedule()) == [RunState.STARTED]


def test_invalid_schedules_are_refused_before_the_emulator_accepts_them(
    service: OrchestrationService, stack: LocalStack, name: str
) -> None:
    with pytest.raises(InvalidSchedule, match="'99' is no minute"):
        service.schedule_job(name, "total", [{"values": [1]}], cron="99 3 * * *")
    with pytest.raises(InvalidSchedule, match="no time zone"):
        service.schedule_job(name, "total", [{"values": [1]}], cron="0 3 * * *", timezone="Moon/Base")
    with pytest.raises(ScheduleNotFound):
        service.schedule(name)
    items = boto3.client("dynamodb").query(
        TableName=stack.settings.event_log_table,
        KeyConditionExpression="pk = :p",
        ExpressionAttributeValues={":p": {"S": f"SCHEDULE#{name}"}},
    )
    assert items["Count"] == 0


@pytest.mark.parametrize(
    ("expression", "zone"),
    [("rate(1 fortnight)", "UTC"), ("rate(1 minute)", "Nowhere/Land"), ("every day", "UTC")],
)
def test_the_emulator_refuses_what_scheduler_refuses(
    stack: LocalStack, name: str, expression: str, zone: str
) -> None:
    # given a schedule of somebody who calls Scheduler itself
    scheduler = boto3.client("scheduler")
    arguments: Any = {
        "Name": name,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": stack.settings.schedule_function, "RoleArn": stack.settings.schedule_role},
    }
    scheduler.create_schedule(**arguments, ScheduleExpression="cron(0 3 * * ? *)")

    # then it can neither be changed to what cannot be read, nor be made so
    invalid = {"ScheduleExpression": expression, "ScheduleExpressionTimezone": zone}
    for request in (scheduler.update_schedule, scheduler.create_schedule):
        with pytest.raises(scheduler.exceptions.ValidationException, match="Invalid Schedule Expression"):
            request(**arguments, **invalid)
    assert scheduler.get_schedule(Name=name)["ScheduleExpression"] == "cron(0 3 * * ? *)"
    scheduler.delete_schedule(Name=name)
