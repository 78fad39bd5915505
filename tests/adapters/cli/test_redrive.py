"""`background-jobs redrive`: messages as each service puts them into the failure queue, and where they go."""

import json
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any
from unittest.mock import patch

import boto3
import pytest

from background_jobs.aws import clients
from background_jobs.aws.stores import Stores
from background_jobs.settings import Settings
from tests.adapters.cli.commands import run
from tests.memory import append_events
from tests.unit.histories import ORCHESTRATION_ID, job_completed, started

FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:kick-off-job"
AGGREGATOR = "arn:aws:lambda:eu-central-1:123456789012:function:aggregate-jobs"
EVENT = {
    "source": "background-jobs",
    "detail-type": "JobCompletedEvent",
    "detail": {"orchestration_id": ORCHESTRATION_ID, "tags": {"schedule": "nightly"}},
}
LAMBDA = {"version": "1.0", "timestamp": "2026-11-26T18:00:00.000Z"}


class Queue:
    """The failure queue of the settings."""

    def __init__(self, settings: Settings) -> None:
        self._sqs = boto3.client("sqs")
        self._url = self._sqs.create_queue(QueueName=settings.schedule_failures.rsplit(":", 1)[-1])[
            "QueueUrl"
        ]

    def put(self, message: object, **attributes: str) -> str:
        typed = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
        body = message if isinstance(message, str) else json.dumps(message)
        sent = self._sqs.send_message(QueueUrl=self._url, MessageBody=body, MessageAttributes=typed)
        return str(sent["MessageId"])

    def left(self) -> int:
        """Return how many messages anybody could read at once."""
        names = ["ApproximateNumberOfMessages"]
        found = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)
        return int(found["Attributes"][names[0]])


def put_rule(target: str = FUNCTION, **made: Any) -> str:
    """Make a rule on the bus, which may make an input of its own, and return its ARN."""
    events, bus = boto3.client("events"), {"EventBusName": "background-jobs"}
    rule = events.put_rule(Name="AfterNightly", EventPattern='{"source": ["background-jobs"]}', **bus)
    events.put_targets(Rule="AfterNightly", Targets=[{"Id": "1", "Arn": target, **made}], **bus)
    return str(rule["RuleArn"])


class FakeLambda:
    """Lambda: keeps what it was invoked with, and answers what the test says."""

    def __init__(self) -> None:
        self.invoked: list[tuple[str, str, Any]] = []
        self.answer: Any = {"batchItemFailures": []}
        self.error: str | None = None

    def invoke(self, **call: Any) -> dict[str, Any]:
        self.invoked.append((call["FunctionName"], call["InvocationType"], json.loads(call["Payload"])))
        failed = {"FunctionError": "Unhandled"} if self.error else {}
        return {"Payload": BytesIO(json.dumps(self.error or self.answer).encode()), **failed}


@pytest.fixture
def functions() -> Iterator[FakeLambda]:
    fake = FakeLambda()
    with patch.object(clients, "functions", lambda: fake):
        yield fake


@pytest.fixture
def queue(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Queue:
    for name, value in settings.to_env().items():
        monkeypatch.setenv(name, value)
    return Queue(settings)


@pytest.fixture
def batch(stores: Stores, settings: Settings) -> Callable[..., dict[str, Any]]:
    """Append events, and return what Lambda says of their records when it gives them up."""

    def batch() -> dict[str, Any]:
        clients.dynamodb().update_table(
            TableName=settings.event_log_table,
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )
        append_events(stores, started(2), job_completed(0), job_completed(1))
        table = clients.dynamodb().describe_table(TableName=settings.event_log_table)["Table"]
        stream = table["LatestStreamArn"]
        streams = boto3.client("dynamodbstreams")
        (shard,) = streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]
        iterator = streams.get_shard_iterator(
            StreamArn=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        numbers = [
            record["dynamodb"]["SequenceNumber"]
            for record in streams.get_records(ShardIterator=iterator)["Records"]
        ]
        info = {
            "streamArn": stream,
            "shardId": shard["ShardId"],
            "startSequenceNumber": numbers[0],
            "endSequenceNumber": numbers[1],
            "batchSize": 2,
        }
        return LAMBDA | {
            "requestContext": {"functionArn": AGGREGATOR, "condition": "RetryAttemptsExhausted"},
            "DDBStreamBatchInfo": info,
        }

    return batch


def test_events_go_to_the_function_that_did_not_take_them(queue: Queue, functions: FakeLambda) -> None:
    # given what EventBridge, Scheduler and Lambda itself could not hand over
    due = {"definition": {"name": "nightly"}, "scheduled_at": "2026-11-26T03:00:00Z"}
    queue.put(EVENT, RULE_ARN=put_rule(), TARGET_ARN=FUNCTION, ERROR_CODE="THROTTLED")
    queue.put(due, SCHEDULE_ARN="arn:aws:scheduler:x", TARGET_ARN=FUNCTION, ERROR_CODE="THROTTLED")
    queue.put(
        LAMBDA
        | {"requestContext": {"functionArn": f"{FUNCTION}:$LATEST"}, "requestPayload": {"by": "lambda"}}
    )

    # when somebody sends it again
    done = run("redrive", "--json")

    # then each event is handed to its function as it was, in the way that tries again, and the queue is empty
    assert done.exit_code == 0, done.output
    assert [json.loads(line)["outcome"] for line in done.stdout.splitlines()] == ["sent"] * 3
    assert sorted(functions.invoked, key=str) == sorted(
        [(FUNCTION, "Event", payload) for payload in (EVENT, due, {"by": "lambda"})], key=str
    )
    assert queue.left() == 0


@pytest.mark.parametrize("arrived", ["the event", "the input"])
def test_a_function_is_given_what_its_rule_makes_of_an_event_whichever_of_both_the_queue_has(
    queue: Queue, functions: FakeLambda, arrived: str
) -> None:
    # given a rule with an input of its own; AWS does not say which of both it puts into the queue
    template = '{"type":"ScheduleRunCompleted","schedule":<tag>}'
    rule = put_rule(
        InputTransformer={"InputPathsMap": {"tag": "$.detail.tags.schedule"}, "InputTemplate": template}
    )
    made = {"type": "ScheduleRunCompleted", "schedule": "nightly"}
    queue.put(EVENT if arrived == "the event" else made, RULE_ARN=rule, TARGET_ARN=FUNCTION)
    # when it is sent again
    done = run("redrive")
    # then the function gets its input
    assert done.exit_code == 0, done.output
    assert functions.invoked == [(FUNCTION, "Event", made)]
    assert queue.left() == 0


@pytest.mark.parametrize("left", ["another target", "nothing"])
def test_an_event_whose_rule_is_gone_stays_for_people_to_read(
    queue: Queue, functions: FakeLambda, left: str
) -> None:
    rule = put_rule(f"{FUNCTION}-of-before")
    queue.put(EVENT, RULE_ARN=rule if left == "another target" else f"{rule}Before", TARGET_ARN=FUNCTION)
    done = run("redrive")
    assert done.exit_code == 1
    assert "is gone; what it started is to be started by hand" in done.stdout
    assert (functions.invoked, queue.left()) == ([], 1)


def test_records_are_read_from_the_stream_and_given_to_their_function(
    queue: Queue, functions: FakeLambda, batch: Callable[..., dict[str, Any]]
) -> None:
    # given records of which the message has the place only
    message = batch()
    queue.put(message)
    # when somebody sends them again
    done = run("redrive")
    # then their function is given them as Lambda gives them
    assert done.exit_code == 0, done.output
    ((function, kind, event),) = functions.invoked
    assert (function, kind) == (AGGREGATOR, "RequestResponse")
    numbers = [record["dynamodb"]["SequenceNumber"] for record in event["Records"]]
    info = message["DDBStreamBatchInfo"]
    assert numbers == [info["startSequenceNumber"], info["endSequenceNumber"]]
    assert {record["eventName"] for record in event["Records"]} == {"INSERT"}
    assert queue.left() == 0


@pytest.mark.parametrize("error", [None, "KeyError"])
def test_what_fails_again_stays_in_the_queue(
    queue: Queue, functions: FakeLambda, batch: Callable[..., dict[str, Any]], error: str | None
) -> None:
    queue.put(batch())
    functions.answer = {"batchItemFailures": [{"itemIdentifier": "7"}]}
    functions.error = error
    done = run("redrive")
    assert done.exit_code == 1
    assert done.stdout.startswith("failed again\taggregate-jobs\t")
    assert (error or "did not take the records 7") in done.stdout
    assert queue.left() == 1


def test_records_that_the_stream_has_forgotten_stay_and_lead_to_rebuild(
    queue: Queue, functions: FakeLambda, batch: Callable[..., dict[str, Any]]
) -> None:
    queue.put(batch())
    streams = clients.dynamodb_streams()
    trimmed = streams.exceptions.TrimmedDataAccessException({"Error": {}}, "GetRecords")

    def refuse(**_: Any) -> None:
        raise trimmed

    streams.meta.events.register("before-call.dynamodb-streams.GetRecords", refuse)
    done = run("redrive")
    assert done.exit_code == 1
    assert "background-jobs rebuild" in done.stdout
    assert (functions.invoked, queue.left()) == ([], 1)


def test_a_dry_run_sends_and_removes_nothing(queue: Queue, functions: FakeLambda) -> None:
    for number in range(23):
        queue.put({"n": number}, TARGET_ARN=FUNCTION)
    done = run("redrive", "--dry-run")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert len(lines) == len(set(lines)) == 23
    assert {line.split("\t")[:2][0] for line in lines} == {"would be sent"}
    assert (functions.invoked, queue.left()) == ([], 23)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("no JSON", "it is no JSON"),
        ("[]", "it is no JSON object"),
        ({"type": "UnreadableRecord"}, "its item of the event log can never be read"),
        ({"function": "aggregate_jobs"}, "it does not say to which function it was sent"),
    ],
)
def test_what_only_people_can_read_stays(
    queue: Queue, functions: FakeLambda, message: object, reason: str
) -> None:
    number = queue.put(message)
    queue.put(EVENT, TARGET_ARN=FUNCTION)
    done = run("redrive")
    assert done.exit_code == 1
    assert f"kept\t-\t{number}\t{reason}" in done.stdout
    assert (len(functions.invoked), queue.left()) == (1, 1)


def test_a_queue_that_is_unknown_is_asked_for(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    for name, value in settings.model_copy(update={"schedule_failures": ""}).to_env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("BACKGROUND_JOBS_SCHEDULE_FAILURES", raising=False)
    done = run("redrive")
    assert done.exit_code != 0
    assert "BACKGROUND_JOBS_SCHEDULE_FAILURES" in done.stderr
