"""What can never be read: its orchestration ends, everybody says so, and nobody else waits for it."""

import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from background_jobs import OrchestrationService
from background_jobs.aws import clients
from background_jobs.aws.failure_queue import FailureQueue
from background_jobs.aws.stores import Stores
from background_jobs.cli.main import app as command_line
from background_jobs.control_plane.close_unfinished import CloseRequest, close_unfinished
from background_jobs.control_plane.rebuild import check
from background_jobs.control_plane.stream import handle_records
from background_jobs.core.blocks import Block, InstanceRange, cut_bodies
from background_jobs.core.errors import UnreadableEvent
from background_jobs.core.events import CANCELLED, STARTED, JobErrored, log_partition
from background_jobs.core.given_up import UnreadableRecord
from background_jobs.progress_api.app import create_app
from background_jobs.settings import ApiSettings, Settings
from tests.unit.histories import job_completed

LATER = b'{"type":"JobCompleted","index":1,"at":"2026-11-24T09:00:00Z","attempts":1,"schema_version":2}'


@pytest.fixture
def ended(service: OrchestrationService, stores: Stores) -> str:
    """An orchestration whose container wrote the outcomes of three, one of which nobody can read."""
    orchestration = service.kick_off_job("halve", [{"n": n} for n in range(3)], parallelism=1)
    first, last = (cut_bodies([job_completed(index)]) for index in (0, 2))
    body = b"[%b,%b,%b]" % (next(first)[1:-1], LATER, next(last)[1:-1])
    part = InstanceRange("default", orchestration.id, 0, 2)
    stores.block_log.append(Block(part, 0, 0, "launch 0", body))
    return orchestration.id


def test_an_outcome_at_the_end_of_time_holds_up_no_completion(
    service: OrchestrationService, stores: Stores, aggregate: Callable[[], Any]
) -> None:
    # given a container whose clock is at the last moment of the calendar
    orchestration = service.kick_off_job("halve", [{"n": 1}])
    late = job_completed(0).model_copy(update={"at": datetime.max.replace(tzinfo=UTC)})
    part = InstanceRange("default", orchestration.id, 0, 0)
    stores.block_log.append(Block(part, 0, 0, "launch 0", *cut_bodies([late])))

    # when the stream delivers the outcome, and the completion that follows from it
    failed = [aggregate() for _ in range(2)]

    # then the orchestration has completed
    assert failed == [[], []]
    assert orchestration.summary().completed_at == late.at


def put_garbage(settings: Settings, orchestration_id: str, sort: str) -> None:
    item: Any = {
        "pk": {"S": log_partition("default", orchestration_id)},
        "sk": {"S": sort},
        "document": {"S": "?"},
    }
    clients.dynamodb().put_item(TableName=settings.event_log_table, Item=item)


def test_the_instance_whose_outcome_cannot_be_read_is_errored_as_such_and_its_siblings_keep_theirs(
    service: OrchestrationService,
    stores: Stores,
    ended: str,
    aggregate: Callable[[], Any],
    given_up: list[UnreadableRecord],
) -> None:
    # given that the stream has delivered what can be read
    assert aggregate() == []
    assert [(unreadable.sort, len(unreadable.faults)) for unreadable in given_up] == [
        ("block#00000000-00000002#000000", 1)
    ]

    # when the execution ends, and everything without an outcome is closed
    assert close_unfinished(CloseRequest(orchestration_id=ended), stores) == 1
    for _ in ("the outcome", "the completion"):
        assert aggregate() == []

    # then all instances have an outcome, and that of the one says what to do
    successes, failures = service.get_job_results(ended, timeout=0)
    assert [success.index for success in successes] == [0, 2]
    assert failures is not None
    (failure,) = failures
    assert (failure.index, failure.params, failure.error.type) == (1, {"n": 1}, "UnreadableOutcome")
    assert "block#00000000-00000002#000000" in failure.error.message
    assert "a later release wrote it: JobCompleted, schema version 2" in failure.error.message
    assert "background-jobs rerun" in failure.error.message

    # and the read model is what the log makes, of which something is not known
    found = check(ended, stores)
    assert (found.read_model, found.log) == ([], [])
    (later,) = found.later
    assert "1 event of type JobCompleted, schema version 2, written by a later release" in later


def test_a_cancelled_instance_whose_outcome_cannot_be_read_is_errored_as_cancelled(
    stores: Stores, ended: str
) -> None:
    error = {"Error": "Cancelled", "Cause": "enough"}
    close_unfinished(CloseRequest.model_validate({"orchestration_id": ended, "error": error}), stores)
    (outcome,) = stores.event_log.read_outcomes(ended, 1, 1)
    assert isinstance(outcome, JobErrored)
    assert (outcome.error.type, outcome.error.message) == ("Cancelled", "enough")


COMMANDS = ("show", "results", "failures", "cancel", "logs", "rerun", "rebuild", "rebuild --check")


def test_every_command_says_that_a_kick_off_cannot_be_read(settings: Settings) -> None:
    # given a kick-off of a later release, and to which service it belongs
    orchestration_id = "0b0e3f3c-1c58-4c0e-9d54-6f3c2d0a7c11"
    pointer: Any = {"pk": {"S": f"ORCHESTRATION#{orchestration_id}"}, "sk": {"S": "service"}}
    pointer["service"] = {"S": "default"}
    clients.dynamodb().put_item(TableName=settings.event_log_table, Item=pointer)
    put_garbage(settings, orchestration_id, STARTED)

    for command in COMMANDS:
        words = [*command.split(), orchestration_id]
        answer = CliRunner().invoke(command_line, words, env=settings.to_env())

        assert isinstance(answer.exception, SystemExit), command
        assert answer.exit_code != 0
        told = " ".join(answer.output.split())
        assert f"'orchestration#started' of {orchestration_id} is in the log, but cannot be read" in told


def test_the_api_says_that_a_kick_off_cannot_be_read(
    settings: Settings, service: OrchestrationService, client: TestClient
) -> None:
    orchestration = service.kick_off_job("halve", [{"n": 1}])
    put_garbage(settings, orchestration.id, STARTED)
    answer = client.get(f"/orchestrations/{orchestration.id}")
    assert (answer.status_code, answer.json()["error"]) == (500, "UnreadableEvent")


def test_a_key_that_a_kick_off_holds_which_cannot_be_read_is_refused_with_a_sentence(
    settings: Settings, service: OrchestrationService
) -> None:
    orchestration = service.kick_off_job("halve", [{"n": 1}], key="nightly")
    put_garbage(settings, orchestration.id, STARTED)
    with pytest.raises(UnreadableEvent, match="under another key"):
        service.kick_off_job("halve", [{"n": 1}], key="nightly")


def test_cancelling_says_when_its_place_is_taken_by_what_is_no_cancellation(
    settings: Settings, service: OrchestrationService
) -> None:
    orchestration = service.kick_off_job("halve", [{"n": 1}])
    put_garbage(settings, orchestration.id, CANCELLED)
    with pytest.raises(UnreadableEvent, match="orchestration#cancelled"):
        orchestration.cancel()


def test_params_of_an_earlier_release_that_no_event_can_hold_are_kept_by_reference(
    service: OrchestrationService, stores: Stores
) -> None:
    # given an orchestration with deep params, which a release before accepted
    orchestration = service.kick_off_job("halve", [{"n": 1}])
    started = stores.event_log.read_started(orchestration.id)
    deep = b'{"tree":%b}\n' % (b"[" * 300 + b"]" * 300)
    stores.payloads.put(started.params_key, deep)

    assert close_unfinished(CloseRequest(orchestration_id=orchestration.id), stores) == 1

    (outcome,) = stores.event_log.read_outcomes(orchestration.id, 0, 0)
    assert isinstance(outcome, JobErrored)
    assert outcome.params_ref is not None
    assert stores.payloads.get(outcome.params_ref.key, outcome.params_ref.bytes) == deep


def test_a_record_is_kept_in_the_failure_queue_or_comes_again() -> None:
    # given a record that cannot be read, and a queue that refuses it at first
    queue = clients.sqs().create_queue(QueueName="failures")["QueueUrl"]
    key = {"pk": {"S": "default#7c0e"}, "sk": {"S": "y"}}
    record = {"eventName": "INSERT", "dynamodb": {"SequenceNumber": "12", "NewImage": key}}
    nowhere = FailureQueue(clients.sqs(), f"{queue}-away", "aggregate_jobs")
    there = FailureQueue(clients.sqs(), queue, "aggregate_jobs")

    refused = handle_records([record], lambda *_: None, nowhere.send)
    handled = handle_records([record], lambda *_: None, there.send)

    assert refused == {"batchItemFailures": [{"itemIdentifier": "12"}]}
    assert handled == {"batchItemFailures": []}
    (message,) = clients.sqs().receive_message(QueueUrl=queue)["Messages"]
    told = json.loads(message["Body"])
    assert (told["function"], told["partition"], told["sort"]) == ("aggregate_jobs", "default#7c0e", "y")
    assert told["faults"]


BODIES = [
    ('{"job_name":"halve","params":[{"a":%s}]}' % ("[" * 99 + "]" * 99), 201),
    ('{"job_name":"halve","params":[{"a":%s}]}' % ("[" * 100 + "]" * 100), 422),
    ('{"job_name":"halve","params":[{"a":%s}]}' % ("[" * 5_000 + "]" * 5_000), 400),
    ('{"job_name":"halve","params":[{"a":NaN}]}', 422),
    ('{"job_name":"halve","params":[{"a":%s}]}' % ("9" * 4_301), 400),
    ('{"job_name":"halve","params":[{"a":"\\ud800"}]}', 422),
    ('{"job_name":"halve","params":[{"\\ud800":1}]}', 422),
    ('{"job_name":"halve","params":[{"a":"\\u0000"}],"tags":{"\\u0000":"\\u0000"},"key":"\\u0000"}', 201),
    ('{"job_name":"ha\\u0000lve","params":[{}]}', 422),
    ('{"job_name":"halve","params":[{}],"then":{"job_name":"ha\\u0000lve"}}', 422),
    ('{"job_name":"halve","params":[{}],"tags":{"a":"\\ud800"}}', 422),
]


def stages_body(count: int) -> str:
    then = '{"job_name":"next","then":' * (count - 1) + '{"job_name":"next"}' + "}" * (count - 1)
    return f'{{"job_name":"halve","params":[{{}}],"then":{then}}}'


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    api = create_app(settings, ApiSettings(allowed_hosts=("testserver",)))
    headers = {"content-type": "application/json"}
    # how deep a document can be parsed depends on it, and other tests may have raised it
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000)
    with TestClient(api, raise_server_exceptions=False, headers=headers) as client:
        yield client
    sys.setrecursionlimit(limit)


def test_the_api_refuses_what_cannot_be_stored_and_never_fails(client: TestClient) -> None:
    for body, status in BODIES:
        answer = client.post("/orchestrations", content=body)
        assert answer.status_code == status, answer.text
        if status == 201:
            url = f"/orchestrations/{answer.json()['orchestration_id']}"
            assert client.get(f"{url}/instances/0").json()["params"] == json.loads(body)["params"][0]


def test_the_api_takes_as_many_stages_as_can_be_read_back(
    client: TestClient, service: OrchestrationService
) -> None:
    for count, status in [(100, 201), (101, 422), (200, 422), (300, 422), (3_000, 400)]:
        answer = client.post("/orchestrations", content=stages_body(count))
        assert answer.status_code == status, answer.text
        if status == 201:
            pipeline = service.pipeline(answer.json()["orchestration_id"])
            assert len(pipeline.view().stages) == count + 1
