"""Schedules over moto: what is written, what can be changed, and what is refused."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from background_jobs import OrchestrationService, job_name
from background_jobs.aws import clients
from background_jobs.control_plane.stream import handle_records
from background_jobs.core import ids
from background_jobs.core.errors import (
    InvalidKickOff,
    InvalidParams,
    InvalidSchedule,
    MissingSettings,
    ScheduleDeclared,
    ScheduleEnded,
    ScheduleNotFound,
    UnknownJobName,
)
from background_jobs.core.schedules.definition import parse_schedule_input
from background_jobs.orchestration_service.schedules import Schedules
from background_jobs.settings import Settings
from tests.adapters.scheduling import Clock, delivered, hourly, stored, written
from tests.memory import expect_no_unreadable


def test_a_schedule_is_one_resource_and_one_event_and_travels_with_its_params(
    schedules: Schedules, settings: Settings, clock: Clock
) -> None:
    schedule = schedules.define(
        "nightly-report",
        "halve",
        [{"n": 2}, {"n": "<b>"}],
        {
            "cron": "30 3 * * mon-fri",
            "timezone": "Europe/Berlin",
            "overlap": "queue",
            "jitter": timedelta(minutes=5),
            "end": clock() + timedelta(days=30),
        },
    )
    assert written(settings) == [1, 0, 1]
    resource = stored()
    assert resource["GroupName"] == "background-jobs-test"
    assert resource["ScheduleExpression"] == "cron(30 3 ? * MON-FRI *)"
    assert resource["ScheduleExpressionTimezone"] == "Europe/Berlin"
    assert resource["FlexibleTimeWindow"] == {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}
    assert (resource["State"], resource["ActionAfterCompletion"]) == ("ENABLED", "DELETE")
    assert resource["EndDate"] == clock() + timedelta(days=30)
    target = resource["Target"]
    assert (target["Arn"], target["RoleArn"]) == (settings.schedule_function, settings.schedule_role)
    assert target["DeadLetterConfig"] == {"Arn": settings.schedule_failures}
    assert parse_schedule_input(target["Input"]) == schedule.definition
    assert schedule.definition.params == ({"n": 2}, {"n": "<b>"})
    # Scheduler fills in the time of the occurrence only.
    assert target["Input"].count("<") == 1
    again = schedules.find("nightly-report")
    assert (again.definition, again.state) == (schedule.definition, "active")
    assert [schedule.name for schedule in schedules.all()] == ["nightly-report"]
    assert [at.strftime("%H:%M %Z") for at in schedule.next_runs(2)] == ["03:30 CET"] * 2


def test_large_params_are_uploaded_once_and_go_with_the_schedule(
    schedules: Schedules, settings: Settings, service: OrchestrationService, clock: Clock
) -> None:
    def objects() -> list[str]:
        listed = clients.s3().list_objects_v2(Bucket=settings.payload_bucket, Prefix="schedules/")
        return [item["Key"] for item in listed.get("Contents", [])]

    large = [{"n": 2, "text": "x" * 1_000, "number": n} for n in range(50)]
    schedules.define("large", "halve", large, {"cron": "0 * * * *"})
    (first,) = objects()
    started = delivered(schedules, clock())
    assert service.orchestration(started.orchestration_id).summary().total == 50

    clock.move(minutes=1)
    schedule = schedules.define("large", "halve", large[:40], {"cron": "0 * * * *"})
    (second,) = objects()
    assert second != first
    clock.move(minutes=1)
    schedule.delete()
    assert objects() == []


def test_made_anew_a_schedule_stays_paused_and_an_interval_keeps_its_beat(
    schedules: Schedules, clock: Clock
) -> None:
    every = timedelta(minutes=45)
    schedule = schedules.define("beat", "halve", [{"n": 2}], {"every": every})
    first = schedule.next_runs(1)
    clock.move(minutes=5)
    schedule.pause()
    clock.move(minutes=5)
    again = schedules.define("beat", "halve", [{"n": 4}], {"every": every, "start": None})
    assert (again.state, again.next_runs()) == ("paused", [])
    assert stored()["State"] == "DISABLED"
    clock.move(minutes=60)
    again.resume()
    # Scheduler refuses a start that has passed, so it gets the next due time.
    assert stored()["StartDate"] == again.next_runs(1)[0] == first[0] + every
    clock.move(minutes=1)
    changed = schedules.define("beat", "halve", [{"n": 4}], {"every": timedelta(minutes=7)})
    assert changed.next_runs(1) == [clock() + timedelta(minutes=7)]


def test_deleting_empties_the_queue_and_keeps_the_history(
    schedules: Schedules, clock: Clock, complete: Callable[[str | None], None]
) -> None:
    schedule = hourly(schedules, overlap="queue")
    first = delivered(schedules, clock.move(hours=1))
    delivered(schedules, clock.move(hours=1))
    clock.move(minutes=1)
    schedule.delete()
    schedule.delete()  # twice is harmless
    assert schedules.all() == []

    gone = schedules.find("hourly")
    assert (gone.state, gone.next_runs()) == ("over", [])
    assert [(run.state, run.reason) for run in gone.runs()] == [
        ("skipped", "the schedule was deleted before its turn"),
        ("started", ""),
    ]
    for call in (gone.pause, gone.resume, gone.run_now):
        with pytest.raises(ScheduleEnded, match="schedule the job again"):
            call()
    with pytest.raises(ScheduleEnded):
        gone.backfill(clock() - timedelta(hours=2), clock())
    complete(first.orchestration_id)
    assert schedules.occurrence_runner.start_waiting("hourly") is None


def test_once_is_over_when_it_has_run_and_leaves_no_params(
    schedules: Schedules, settings: Settings, clock: Clock
) -> None:
    at = clock() + timedelta(hours=1)
    params = [{"n": 2, "text": "x" * 50_000}]
    schedules.define("once", "halve", params, {"at": at})
    assert stored()["ScheduleExpression"] == f"at({at:%Y-%m-%dT%H:%M:%S})"
    clock.move(hours=1)
    run = delivered(schedules, at)
    assert delivered(schedules, at).orchestration_id == run.orchestration_id
    clients.scheduler().delete_schedule(Name="once", GroupName="background-jobs-test")  # as Scheduler does
    schedule = schedules.find("once")
    assert (schedule.state, [str(one.state) for one in schedule.runs()]) == ("over", ["started"])
    listed = clients.s3().list_objects_v2(Bucket=settings.payload_bucket, Prefix="schedules/")
    assert listed["KeyCount"] == 0


def test_params_that_are_gone_are_said_to_be(schedules: Schedules, clock: Clock, settings: Settings) -> None:
    schedule = schedules.define("large", "halve", [{"text": "x" * 50_000}], {"cron": "0 * * * *"})
    clients.s3().delete_object(Bucket=settings.payload_bucket, Key=schedule.definition.params_key)
    assert "its params are gone" in delivered(schedules, clock.move(hours=1)).reason


def test_a_schedule_that_the_stack_declares_is_changed_there(schedules: Schedules, clock: Clock) -> None:
    hourly(schedules)
    resource = stored()
    for name in ("Arn", "CreationDate", "LastModificationDate", "ResponseMetadata", "KmsKeyArn"):
        resource.pop(name, None)
    resource["Target"]["Input"] = (
        resource["Target"]["Input"]
        .replace("{", '{"declared":true,', 2)
        .replace('{"declared":true,"definition"', '{"definition"')
    )
    clients.scheduler().update_schedule(**resource)
    schedule = schedules.find("hourly")
    for change in (schedule.delete, lambda: hourly(schedules)):
        with pytest.raises(ScheduleDeclared, match="declared in the stack"):
            change()
    clock.move(minutes=1)
    schedule.pause()
    assert schedules.find("hourly").state == "paused"


def test_the_stream_of_orchestrations_passes_the_histories_of_schedules_by(
    schedules: Schedules, settings: Settings, clock: Clock
) -> None:
    hourly(schedules)
    delivered(schedules, clock())
    items = clients.dynamodb().scan(TableName=settings.event_log_table)["Items"]
    records = [
        {"eventName": "INSERT", "dynamodb": {"SequenceNumber": str(number), "NewImage": item}}
        for number, item in enumerate(items)
    ]
    seen: list[str] = []
    answer = handle_records(
        records, lambda _, orchestration_id, __: seen.append(orchestration_id), expect_no_unreadable
    )
    assert answer == {"batchItemFailures": []}
    assert seen == [ids.occurrence_id("hourly", clock())]


class Params(BaseModel):
    n: int


@job_name("halve")
def halve(params: Params) -> int:
    return params.n // 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cron": "61 * * * *"}, "'61' is no minute"),
        ({"cron": "0 3 1 * MON"}, "make a schedule for each of them"),
        ({"timezone": "Europe/Bonn"}, "no time zone 'Europe/Bonn'"),
        ({"cron": "0 0 30 2 *"}, "is never due: no year has such a day"),
        ({"cron": "0 3 * * ? 2020"}, "is not due any more"),
        ({"cron": None}, "exactly one of cron, every and at"),
        ({"every": timedelta(hours=1)}, "exactly one of cron, every and at"),
        ({"cron": None, "every": timedelta(seconds=30)}, "from 1 minute to 366 days"),
        ({"cron": None, "at": datetime(2027, 1, 1)}, "needs a time zone"),  # noqa: DTZ001 -- the point
        ({"cron": None, "at": datetime(2025, 1, 1, tzinfo=UTC)}, "has passed"),
        ({"end": datetime(2025, 1, 1, tzinfo=UTC)}, "is not due between"),
        ({"start": datetime(2031, 1, 2, tzinfo=UTC), "end": datetime(2031, 1, 1, tzinfo=UTC)}, "is empty"),
        ({"jitter": timedelta(days=2)}, "up to a day"),
        ({"jitter": timedelta(seconds=5)}, "whole minutes"),
        ({"overlap": "maybe"}, "overlap='maybe' must be 'skip', 'queue' or 'allow'"),
        ({"tags": {"schedule": "mine"}}, "the tag 'schedule' is set by the schedule itself"),
        ({"tags": {"customer": 7}}, "str to str"),
        ({"parallelism": 101}, "from 1 to 100"),
        ({"timeout": -1}, "more than 0, and up to 7 days"),
        ({"name": "nightly report"}, "name='nightly report'"),
        ({"name": "x" * 65}, "name="),
        ({"params": []}, "there are no params"),
        ({"params": [7]}, "index 0 were refused"),
        ({"job": "havle"}, "no job named 'havle'"),
        ({"job": halve, "params": [{"n": "many"}]}, "n='many' must be a whole number"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(
    settings: Settings, change: dict[str, Any], message: str
) -> None:
    service = OrchestrationService(settings.model_copy(update={"job_names": ("halve",)}))
    options: dict[str, Any] = {"name": "nightly", "job": "halve", "params": [{"n": 2}], "cron": "0 3 * * *"}
    options |= change
    with pytest.raises((InvalidSchedule, InvalidKickOff, InvalidParams, UnknownJobName), match=message):
        service.schedule_job(**options)
    assert written(settings) == [0, 0, 0]


def test_what_scheduler_itself_refuses_is_told_as_such(
    schedules: Schedules, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = clients.scheduler()

    def refuse(**_: Any) -> None:
        error: Any = {"Error": {"Code": "ValidationException", "Message": "No such hour."}}
        raise client.exceptions.ValidationException(error, "CreateSchedule")

    monkeypatch.setattr(client, "create_schedule", refuse)
    with pytest.raises(InvalidSchedule, match="nothing was written: No such hour"):
        schedules.define("large", "halve", [{"text": "x" * 50_000}], {"cron": "0 * * * *"})
    assert written(settings) == [0, 0, 0]


def test_making_schedules_takes_settings_that_name_whom_to_invoke(settings: Settings) -> None:
    bare = settings.model_copy(update={"schedule_role": "", "schedule_function": ""})
    with pytest.raises(MissingSettings, match="SCHEDULE_FUNCTION, BACKGROUND_JOBS_SCHEDULE_ROLE"):
        OrchestrationService(bare).schedule_job("nightly", "halve", [{"n": 2}], cron="0 3 * * *")


@pytest.mark.parametrize("name", ["nightly", "not a name", ""])
def test_a_name_that_does_not_exist_is_answered_kindly(schedules: Schedules, name: str) -> None:
    with pytest.raises(ScheduleNotFound, match="schedule list"):
        schedules.find(name)


def test_other_peoples_schedules_in_the_group_are_left_alone(schedules: Schedules) -> None:
    clients.scheduler().create_schedule(
        Name="other",
        GroupName="background-jobs-test",
        ScheduleExpression="rate(1 hour)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": "arn:aws:sqs:eu-central-1:123456789012:q", "RoleArn": "r", "Input": json.dumps({})},
    )
    hourly(schedules)
    assert [schedule.name for schedule in schedules.all()] == ["hourly"]
