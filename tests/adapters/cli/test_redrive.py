"""`background-jobs redrive`: messages as each service puts them into the failure queue, and where they go."""

import json
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from typer.testing import CliRunner

from background_jobs.aws import clients
from background_jobs.aws.stores import Stores
from background_jobs.cli.main import app
from background_jobs.core.failed_deliveries import InputTransformer
from background_jobs.settings import Settings
from tests.adapters.cli.commands import run
from tests.examined import QUEUE, refusal
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
    assert done.exit_code == 4
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
    assert done.exit_code == 4
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
    assert done.exit_code == 4
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
        (
            {"requestContext": {"functionArn": 5}, "requestPayload": {}},
            "it does not say to which function it was sent",
        ),
        (
            {
                "requestContext": {"functionArn": AGGREGATOR},
                "DDBStreamBatchInfo": {"startSequenceNumber": "a", "endSequenceNumber": "b"},
            },
            "it does not say where in the stream its records are",
        ),
        ("[" * 50_000, "it is no JSON that can be read"),
    ],
)
def test_what_only_people_can_read_stays(
    queue: Queue, functions: FakeLambda, message: object, reason: str
) -> None:
    number = queue.put(message)
    queue.put(EVENT, TARGET_ARN=FUNCTION)
    done = run("redrive")
    assert done.exit_code == 4
    assert f"kept\t-\t{number}\t{reason}" in done.stdout
    assert (len(functions.invoked), queue.left()) == (1, 1)


@pytest.mark.parametrize(
    "rule", ["nonsense", "arn:aws:events:eu-central-1:123456789012:rule/gone", "a/b/c/d"]
)
def test_an_event_of_no_rule_stays_and_holds_up_no_other(
    rule: str, queue: Queue, functions: FakeLambda
) -> None:
    queue.put(EVENT, TARGET_ARN=FUNCTION, RULE_ARN=rule)
    queue.put({"n": 1}, TARGET_ARN=FUNCTION)
    done = run("redrive")
    assert (done.exit_code, len(functions.invoked), queue.left()) == (4, 1, 1)
    assert "is gone" in done.stdout


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException"])
def test_records_that_aws_refuses_stay_with_its_reason_and_hold_up_no_other(
    code: str, queue: Queue, functions: FakeLambda, batch: Callable[..., dict[str, Any]]
) -> None:
    # given two messages, and a stream that may not be read
    queue.put(batch())
    queue.put({"n": 1}, TARGET_ARN=FUNCTION)

    def refuse(**_: Any) -> None:
        raise refusal(code)

    event = "before-call.dynamodb-streams.GetShardIterator"
    clients.dynamodb_streams().meta.events.register(event, refuse)
    try:
        # when both are sent again
        done = run("redrive")
    finally:
        clients.dynamodb_streams().meta.events.unregister(event, refuse)
    # then one is kept, with AWS's reason, and the other is sent
    assert (done.exit_code, len(functions.invoked), queue.left()) == (4, 1, 1)
    assert f"\t{code}: no" in done.stdout


@pytest.mark.parametrize("place", ["startSequenceNumber", "endSequenceNumber"])
def test_records_beyond_the_end_of_a_shard_are_not_waited_for(
    place: str, queue: Queue, functions: FakeLambda, batch: Callable[..., dict[str, Any]]
) -> None:
    message = batch()
    message["DDBStreamBatchInfo"] |= {place: "9" * 30, "endSequenceNumber": "9" * 30}
    queue.put(message)
    done = run("redrive")
    assert (done.exit_code, queue.left(), functions.invoked) == (4, 1, [])


class Receiving:
    """A client of SQS whose answers to one operation a test changes."""

    def __init__(self, operation: str, answer: Callable[[int, dict[str, Any]], dict[str, Any]]) -> None:
        self._sqs, self._operation, self._answer, self._calls = clients.sqs(), operation, answer, 0

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._sqs, name)
        if name != self._operation:
            return call

        def changed(**parameters: Any) -> dict[str, Any]:
            self._calls += 1
            return self._answer(self._calls, call(**parameters))

        return changed


def test_a_message_that_comes_twice_hides_none_behind_it(
    queue: Queue, functions: FakeLambda, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a queue whose second answer has a message of the first once more, as SQS may have
    for number in range(25):
        queue.put({"n": number}, TARGET_ARN=FUNCTION)
    first: list[Any] = []

    def repeat(call: int, answer: dict[str, Any]) -> dict[str, Any]:
        first.extend(answer.get("Messages", [])[:1])
        return {"Messages": [first[0], *answer["Messages"]]} if call == 2 else answer

    receiving = Receiving("receive_message", repeat)
    monkeypatch.setattr(clients, "sqs", lambda: receiving)
    # when all are sent again, then each is, once
    assert run("redrive").exit_code == 0
    assert sorted(payload["n"] for _, _, payload in functions.invoked) == list(range(25))
    assert queue.left() == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt(), refusal("ThrottlingException")])
def test_messages_are_there_for_others_at_once_if_reading_them_is_interrupted(
    error: BaseException, queue: Queue, functions: FakeLambda, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(25):
        queue.put({"n": number}, TARGET_ARN=FUNCTION)

    def fail(call: int, answer: dict[str, Any]) -> dict[str, Any]:
        if call == 2:
            for message in answer["Messages"]:
                put_back(message)
            raise error
        return answer

    sqs = clients.sqs()
    url = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]

    def put_back(message: dict[str, Any]) -> None:
        sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )

    receiving = Receiving("receive_message", fail)
    monkeypatch.setattr(clients, "sqs", lambda: receiving)
    assert run("redrive").exit_code != 0
    assert (functions.invoked, queue.left()) == ([], 25)


def test_a_message_that_cannot_be_put_back_hides_no_other(
    queue: Queue, functions: FakeLambda, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        queue.put({"n": number}, TARGET_ARN=FUNCTION)

    class Throttled:
        def __getattr__(self, name: str) -> Any:
            return getattr(sqs, name)

        def change_message_visibility(self, **call: Any) -> None:
            self.calls = getattr(self, "calls", 0) + 1
            if self.calls == 1:
                raise refusal("ThrottlingException")
            sqs.change_message_visibility(**call)

    sqs, throttled = clients.sqs(), Throttled()
    monkeypatch.setattr(clients, "sqs", lambda: throttled)
    assert run("redrive", "--dry-run").exit_code == 0
    assert queue.left() == 2


def test_what_the_output_cannot_encode_is_replaced(queue: Queue, functions: FakeLambda) -> None:
    queue.put({"n": 1}, TARGET_ARN="arn:aws:sqs:eu-central-1:1:Müll")
    done = CliRunner(charset="ascii").invoke(app, ["redrive"])
    assert (done.exit_code, queue.left()) == (4, 1)
    assert "M?ll is no function" in done.stdout


def test_a_value_with_the_look_of_a_name_is_a_value() -> None:
    made = InputTransformer({"a": "$.a", "b": "$.b"}, '{"a": <a>, "b": "<b>"}').apply('{"a": "<b>", "b": 1}')
    assert json.loads(made) == {"a": "<b>", "b": 1}


def test_a_queue_that_is_unknown_is_asked_for(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    for name, value in settings.model_copy(update={"schedule_failures": ""}).to_env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("BACKGROUND_JOBS_SCHEDULE_FAILURES", raising=False)
    done = run("redrive")
    assert done.exit_code != 0
    assert "BACKGROUND_JOBS_SCHEDULE_FAILURES" in done.stderr
