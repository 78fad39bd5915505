"""Callers and containers whose clocks are wrong, or are set while they work."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from background_jobs import Orchestration, OrchestrationService, Retry, job_name
from background_jobs.aws import clients
from background_jobs.aws.clock import Clock
from background_jobs.aws.stores import Stores
from background_jobs.core.ids import job_id
from background_jobs.jobs import Jobs
from background_jobs.settings import ContainerSettings, Settings
from background_jobs.worker.container import Container
from background_jobs.worker.current_attempt import SharedCurrentAttempt
from background_jobs.worker.earlier_launches import EarlierAttempts
from tests.memory import append_events
from tests.unit.histories import ORCHESTRATION_ID, attempt_failed

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TWO_MINUTES = timedelta(minutes=2)


def clock_off_by(difference: timedelta) -> Clock:
    return Clock(lambda: datetime.now(UTC) + difference)


def date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


@pytest.mark.parametrize("seconds", [-3_600, -120, 120, 3_600])
def test_a_clock_that_is_wrong_is_corrected_and_the_caller_is_told_once(
    seconds: float, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock(lambda: NOON)
    for _ in ("two", "answers"):
        clock.note(NOON, date(NOON + timedelta(seconds=seconds)), NOON)
    assert abs(clock() - NOON - timedelta(seconds=seconds)) <= timedelta(seconds=1)
    (warning,) = caplog.messages
    side = "behind" if seconds > 0 else "ahead of"
    assert warning.startswith(f"This machine's clock is {abs(seconds):.0f} s {side} AWS's")


@pytest.mark.parametrize(
    ("seconds", "waited"), [(0, 0), (-2, 0), (1, 0), (60, 120), (0, 300)], ids=lambda value: f"{value} s"
)
def test_a_clock_that_may_be_right_is_left_alone(
    seconds: float, waited: float, caplog: pytest.LogCaptureFixture
) -> None:
    """The date of an answer is of some moment between request and answer, which may be far apart."""
    clock = Clock(lambda: NOON)
    clock.note(NOON, date(NOON + timedelta(seconds=seconds)), NOON + timedelta(seconds=waited))
    clock.note(NOON, "yesterday", NOON)
    assert (clock(), caplog.messages) == (NOON, [])


@pytest.fixture
def run_container(stores: Stores) -> Callable[..., None]:
    """Run the only container of an orchestration, whose clock is given."""

    def run_container(orchestration: Orchestration, clock: Clock, *jobs: object) -> None:
        started = stores.event_log.read_started(orchestration.id)
        variables = {
            "JOB_NAME": started.job_name,
            "ORCHESTRATION_ID": orchestration.id,
            "JOB_ID": job_id(orchestration.id, 0),
            "JOB_SHARE": "0",
            "JOB_INDICES": f"0-{started.total - 1}",
            "JOB_PARAMS_KEY": started.params_key,
            "JOB_PARAMS_BYTES": "0-999",
            "BACKGROUND_JOBS_SERVICE": started.service,
        }
        settings = ContainerSettings.from_env(variables)
        container_stores = replace(stores, clock=clock)
        Container(Jobs(jobs), settings, container_stores, SharedCurrentAttempt()).work()

    return run_container


@job_name("quick")
def quick(params: dict[str, Any]) -> str:
    return "done"


def test_a_timeout_is_as_long_as_it_was_set_by_a_caller_whose_clock_is_behind(
    settings: Settings, aggregate: Callable[[], Any], run_container: Callable[..., None]
) -> None:
    # given a caller that is two minutes behind, and learns so from the answer to its upload
    service, behind = OrchestrationService(settings), clock_off_by(-TWO_MINUTES)
    service._stores = replace(service._stores, clock=behind)
    clients.s3().meta.events.register("response-received", _add_date)
    behind.attach(clients.s3())

    # when it kicks off with a timeout of a minute
    orchestration = service.kick_off_job("quick", [{}], timeout=60)
    run_container(orchestration, clock_off_by(timedelta()), quick)

    # then the minute begins now
    aggregate()
    assert orchestration.summary().completed == 1


def _add_date(response_dict: dict[str, Any], **_: object) -> None:
    """Date the answers of S3 as AWS does; moto dates those of DynamoDB only."""
    response_dict["headers"]["date"] = date(datetime.now(UTC))


def test_a_clock_does_not_take_the_time_of_another_of_the_same_client_for_its_own(settings: Settings) -> None:
    right, wrong = clock_off_by(timedelta()), clock_off_by(TWO_MINUTES)
    for clock in (right, wrong):
        clock.attach(clients.dynamodb())
    clients.dynamodb().describe_table(TableName=settings.event_log_table)
    assert (right.offset_seconds, round(wrong.offset_seconds, -1)) == (0, -120)


@pytest.mark.parametrize("difference", [TWO_MINUTES, -TWO_MINUTES])
def test_a_timeout_is_as_long_in_a_container_whose_clock_is_wrong(
    service: OrchestrationService,
    stores: Stores,
    run_container: Callable[..., None],
    difference: timedelta,
) -> None:
    # given a container whose clock is wrong, and that learns so from the first answer of DynamoDB
    wrong = clock_off_by(difference)
    wrong.attach(clients.dynamodb())

    # when the timeout of an orchestration has a minute left, and that of another ended a minute ago
    running = service.kick_off_job("quick", [{}], timeout=60)
    over = service.kick_off_job("quick", [{}], timeout=60)
    started = stores.event_log.read_started(over.id)
    ended = started.model_copy(
        update={"orchestration_id": ORCHESTRATION_ID, "deadline": datetime.now(UTC) - timedelta(minutes=1)}
    )
    append_events(stores, ended)
    for orchestration_id in (running.id, ORCHESTRATION_ID):
        run_container(service.orchestration(orchestration_id), wrong, quick)

    # then the first one runs, and the second does not
    (done,), (timed_out,) = (
        list(stores.event_log.read_outcomes(orchestration_id, 0, 0))
        for orchestration_id in (running.id, ORCHESTRATION_ID)
    )
    assert done.type == "JobCompleted"
    assert timed_out.type == "JobErrored"
    assert timed_out.error.type == "OrchestrationTimeout"


def test_a_clock_that_is_set_back_does_not_delay_a_retry(
    service: OrchestrationService,
    stores: Stores,
    run_container: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = time.time

    @job_name("flaky", retry=Retry(base_seconds=0.01))
    def flaky(params: dict[str, Any], job: Any) -> int:
        if job.attempt == 1:
            monkeypatch.setattr(time, "time", lambda: now() - 3_600)
            raise ValueError("not yet")
        return int(job.attempt)

    orchestration = service.kick_off_job("flaky", [{}])
    run_container(orchestration, clock_off_by(timedelta()), flaky)
    (outcome,) = stores.event_log.read_outcomes(orchestration.id, 0, 0)
    assert (outcome.type, outcome.attempts) == ("JobCompleted", 2)


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(hours=1), timedelta(hours=-1)])
def test_a_later_launch_waits_for_a_retry_no_longer_than_was_decided(ahead: timedelta) -> None:
    # given a failure whose retry was to come a second later, told by a clock that may have been wrong
    failure = attempt_failed(0)
    assert failure.retry_at - failure.at == timedelta(seconds=1)
    wait = EarlierAttempts(failures=[failure]).seconds_to_retry(failure.at - ahead)
    assert wait == min(1, (ahead + timedelta(seconds=1)).total_seconds())


def test_what_was_kicked_off_by_a_clock_that_is_ahead_is_in_the_history_at_once(
    settings: Settings, aggregate: Callable[[], Any]
) -> None:
    # given a caller whose first answer comes too late: it has no params to upload
    service = OrchestrationService(settings)
    service._stores = replace(service._stores, clock=clock_off_by(TWO_MINUTES))
    orchestration = service.kick_off_job("quick", [])
    aggregate()
    assert [summary.orchestration_id for summary in OrchestrationService(settings).history().summaries] == [
        orchestration.id
    ]


def test_answers_of_aws_set_the_clock_of_the_process() -> None:
    behind = clock_off_by(-TWO_MINUTES)
    behind.attach(clients.dynamodb())
    clients.dynamodb().list_tables()
    assert abs(behind() - datetime.now(UTC)) < TWO_MINUTES / 2
