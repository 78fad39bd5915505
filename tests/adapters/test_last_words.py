"""Containers that died on AWS: what their logs say last is in the outcomes, and nothing depends on it."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from background_jobs import OrchestrationService
from background_jobs.aws import clients
from background_jobs.aws.stores import Stores
from background_jobs.control_plane import last_words
from background_jobs.control_plane.close_unfinished import CloseRequest
from background_jobs.control_plane.last_words import read_last_words
from background_jobs.control_plane.note_delay import DelayReport, note_delay
from background_jobs.control_plane.relaunch_or_close import relaunch_or_close
from background_jobs.core.task_failure import read_failure
from background_jobs.orchestration_service import Orchestration
from tests.memory import SETTINGS

GROUP, STREAM = "/team/jobs", "default/job/0123abc"
LINES = (
    "Traceback (most recent call last):",
    '  File "/app/jobs.py", line 1, in <module>',
    "No module named 'shop'",
)


@pytest.fixture(autouse=True)
def definition() -> Iterator[str]:
    """A task definition whose containers write to a group of CloudWatch Logs."""
    options = {"awslogs-group": GROUP, "awslogs-stream-prefix": "default", "awslogs-region": "eu-central-1"}
    answer = clients.ecs().register_task_definition(
        family="background-jobs-test-default",
        containerDefinitions=[
            {"name": "guard", "image": "guard", "memory": 128},
            {
                "name": "job",
                "image": "jobs",
                "memory": 512,
                "logConfiguration": {"logDriver": "awslogs", "options": options},
            },
        ],
    )
    clients.logs().create_log_group(logGroupName=GROUP)
    last_words._find_streams.cache_clear()
    yield answer["taskDefinition"]["taskDefinitionArn"]
    last_words._find_streams.cache_clear()


def write(*lines: str) -> None:
    clients.logs().create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    now = int(datetime.now(UTC).timestamp() * 1000)
    events: Any = [{"timestamp": now, "message": line} for line in lines]
    clients.logs().put_log_events(logGroupName=GROUP, logStreamName=STREAM, logEvents=events)


def failed_task(definition: str) -> dict[str, str]:
    task = {
        "TaskArn": "arn:aws:ecs:eu-central-1:123456789012:task/jobs/0123abc",
        "TaskDefinitionArn": definition,
        "StopCode": "EssentialContainerExited",
        "StoppedReason": "Essential container in task exited",
        "Containers": [{"Name": "guard"}, {"Name": "job", "ExitCode": 1}],
    }
    return {"Error": "States.TaskFailed", "Cause": json.dumps(task)}


@pytest.fixture
def orchestration(service: OrchestrationService) -> Orchestration:
    return service.kick_off_job("other", [{}] * 2, parallelism=1)


def test_a_share_is_closed_with_the_last_lines_of_its_container(
    orchestration: Orchestration, stores: Stores, definition: str, aggregate: Callable[[], Any]
) -> None:
    write(*LINES)
    request = CloseRequest.model_validate(
        {"orchestration_id": orchestration.id, "indices": "0-1", "error": failed_task(definition)}
    )
    assert relaunch_or_close(request, stores, read_last_words=read_last_words).closed == 2
    aggregate()
    errors = list(orchestration.errors())
    assert len(errors) == 2
    for error in errors:
        assert "exit code 1" in error.error.message
        assert error.error.message.endswith("The last line of its log is: No module named 'shop'")
        assert error.error.traceback.splitlines() == list(LINES)
        assert error.log == f"{GROUP}/{STREAM}"
    # all of it is one cause
    assert len(orchestration.digest().causes) == 1


def test_a_launch_that_was_lost_says_why_and_where_while_it_is_tried_again(
    orchestration: Orchestration, stores: Stores, definition: str
) -> None:
    write(*LINES)
    fields = {"orchestration_id": orchestration.id, "share": 0, "error": failed_task(definition)}
    report = DelayReport.model_validate(fields)
    now = datetime.now(UTC)
    note_delay(report, stores, now, settings=SETTINGS, draw=0.5, read_last_words=read_last_words)
    (delay,) = stores.event_log.read_containers(orchestration.id).delays
    assert (delay.log, "No module named 'shop'" in delay.detail) == (f"{GROUP}/{STREAM}", True)
    assert [line.message for line in orchestration.log_lines(1)] == list(LINES)


def test_what_cannot_be_read_keeps_no_share_open(
    orchestration: Orchestration, stores: Stores, definition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a container that wrote nothing, then a log that nobody may read, then no task definition
    failure = read_failure(*failed_task(definition).values())
    assert read_last_words(failure) == (f"{GROUP}/{STREAM}", ())

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(last_words, "read_last_lines", refuse)
    assert read_last_words(failure) == (f"{GROUP}/{STREAM}", ())
    monkeypatch.setattr(last_words, "_find_streams", refuse)
    assert read_last_words(failure) == ("", ())


def test_a_launch_that_was_refused_has_no_log() -> None:
    assert read_last_words(read_failure("ECS.ClientException", "no such cluster")) == ("", ())


def test_a_call_that_hangs_holds_nobody_up(definition: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    monkeypatch.setattr(last_words, "read_last_lines", lambda *_: answered.wait(60) and [])
    failure = read_failure(*failed_task(definition).values())
    words = read_last_words(failure, seconds=2)
    assert not answered.is_set()
    answered.set()
    assert words.lines == ()
