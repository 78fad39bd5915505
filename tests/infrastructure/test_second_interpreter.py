"""The state machine in another interpreter: LocalStack's, a copy of which is in moto, its tasks mocked.

LocalStack compares its histories with recorded ones of AWS, so they tell how many events a try takes, which the
first interpreter (test_state_machine.py) does not. It knows no Distributed Map over an object, so it plays a child.
"""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Final, NamedTuple, Protocol
from uuid import uuid4

import boto3
import moto
import pytest
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.mocking.mock_config import (
    MockedResponse,
    MockedResponseReturn,
    MockedResponseThrow,
)

from background_jobs.cdk.fan_out_definition import fan_out_definition
from tests.infrastructure.test_state_machine import (
    CHILD,
    CLOSED,
    DONE,
    GIVEN_UP,
    LOST,
    NOTED,
    QUOTA,
    THROTTLED,
)
from tests.offline import until

ROLE: Final = "arn:aws:iam::123456789012:role/role"
Answer = Mapping[str, Any]


class Played(NamedTuple):
    """What an execution did: the events of its history, and how long it waited between the tries of a state."""

    events: list[dict[str, Any]]
    pauses: list[float]


class Play(Protocol):
    def __call__(self, script: Mapping[str, Sequence[Answer]], **fields: object) -> Played: ...


def mocked(answer: Answer) -> MockedResponse:
    if "error" in answer:
        return MockedResponseThrow(0, 0, answer["error"], answer["cause"])
    return MockedResponseReturn(0, 0, answer)


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Iterator[Play]:
    """Run a child whose tasks answer as the script says."""
    definition = fan_out_definition(
        cluster="arn:aws:ecs:us-east-1:123456789012:cluster/c",
        network={"Subnets": ["subnet-1"]},
        close_unfinished="arn:aws:lambda:us-east-1:123456789012:function:close",
        note_delay="arn:aws:lambda:us-east-1:123456789012:function:note",
        capacity_providers={"FARGATE_SPOT", "gpu-asg"},
        warm=True,
    )
    child = definition["States"]["FanOut"]["ItemProcessor"]
    machine = {"StartAt": child["StartAt"], "States": child["States"]}
    pauses: list[float] = []
    monkeypatch.setattr(retrier_decl, "time", SimpleNamespace(sleep=pauses.append))
    monkeypatch.setattr("random.uniform", random.Random(3).uniform)

    def run(script: Mapping[str, Sequence[Answer]], **fields: object) -> Played:
        pauses.clear()
        left = {state: iter(answers) for state, answers in script.items()}
        monkeypatch.setattr(Environment, "is_mocked_mode", lambda self: self.next_state_name in left)
        monkeypatch.setattr(
            Environment, "get_current_mocked_response", lambda self: mocked(next(left[self.next_state_name]))
        )
        client = boto3.client("stepfunctions", region_name="us-east-1")
        made = client.create_state_machine(name="machine", definition=json.dumps(machine), roleArn=ROLE)
        started = client.start_execution(
            stateMachineArn=made["stateMachineArn"], name=str(uuid4()), input=json.dumps({**CHILD, **fields})
        )
        arn = started["executionArn"]
        until(lambda: client.describe_execution(executionArn=arn)["status"] != "RUNNING")
        history = client.get_execution_history(executionArn=arn, maxResults=1000)
        return Played(list(history["events"]), list(pauses))

    with moto.mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        yield run


def visited(events: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event
    ]


CIRCLE: Final = ["Launch", "RunContainer", "NoteDelay", "WaitForLaunch"]


@pytest.mark.parametrize("error", ["States.HeartbeatTimeout", "States.Timeout", "SQS.SdkClientException"])
def test_a_share_that_was_offered_in_vain_is_launched_as_any_other(play: Play, error: str) -> None:
    refused = {"error": error, "cause": ""}
    played = play({"OfferToWarmWorker": [refused], "RunContainer": [DONE]}, warm_shares=2)
    assert visited(played.events) == ["IsOffered", "OfferToWarmWorker", "Launch", "RunContainer"]
    assert played.events[-1]["type"] == "ExecutionSucceeded"


def test_a_share_that_a_warm_worker_did_is_done(play: Play) -> None:
    played = play({"OfferToWarmWorker": [{}], "RunContainer": []}, warm_shares=2)
    assert visited(played.events) == ["IsOffered", "OfferToWarmWorker"]
    assert played.events[-1]["executionSucceededEventDetails"]["output"] == "{}"


def test_a_child_goes_round_until_its_container_runs(play: Play) -> None:
    events = play({"RunContainer": [QUOTA, LOST, DONE], "NoteDelay": [NOTED] * 2, "CloseShare": []}).events
    assert visited(events) == ["IsOffered", *CIRCLE, *CIRCLE, "Launch", "RunContainer"]
    assert (events[-1]["type"], events[-1]["executionSucceededEventDetails"]["output"]) == (
        "ExecutionSucceeded",
        "{}",
    )


def test_a_child_that_is_given_up_closes_its_share_with_the_error_of_the_launch(play: Play) -> None:
    played = play({"RunContainer": [QUOTA], "NoteDelay": [GIVEN_UP], "CloseShare": [CLOSED]})
    assert visited(played.events) == ["IsOffered", *CIRCLE, "Launch", "CloseShare", "IsAnyLeft", "Done"]
    *_, closing = (event for event in played.events if event["type"] == "TaskScheduled")
    request = json.loads(closing["taskScheduledEventDetails"]["parameters"])["Payload"]
    assert request["error"] == {"Error": QUOTA["error"], "Cause": QUOTA["cause"]}


@pytest.mark.parametrize(
    ("tries", "events_of_a_circle"), [([QUOTA], 14), ([THROTTLED] * 3, 20)], ids=["quota", "throttled"]
)
def test_a_try_takes_as_many_events_as_the_pace_of_tries_reckons_with(
    play: Play, tries: list[Answer], events_of_a_circle: int
) -> None:
    """The other test of the history (of a year of waiting) counts them by AWS's documents."""
    counts = [
        len(play({"RunContainer": tries * n + [DONE], "NoteDelay": [NOTED] * n, "CloseShare": []}).events)
        for n in (1, 2)
    ]
    assert counts[1] - counts[0] == events_of_a_circle


def test_throttled_launches_are_spread_over_ten_seconds_and_then_over_a_minute(play: Play) -> None:
    launches: list[Answer] = [*[THROTTLED] * 3 * 20, DONE]
    pauses = play({"RunContainer": launches, "NoteDelay": [NOTED] * 20, "CloseShare": []}).pauses
    first, second = pauses[0::2], pauses[1::2]
    assert (len(first), len(second)) == (20, 20)
    # full jitter draws from the whole range
    assert min(first) < 3
    assert 7 < max(first) <= 10
    assert min(second) < 20
    assert 40 < max(second) <= 60
