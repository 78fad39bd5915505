"""What the contract is tried on: a twin in this process, and the offline stack."""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest

from background_jobs import JobCompletedEvent, Orchestration, OrchestrationService
from background_jobs.local_stack import LocalStack
from background_jobs.testing import BackgroundJobs
from tests.offline import become_caller
from tests.testing import billing_jobs, jobs

PATIENCE = 120


@dataclass(frozen=True)
class Caller:
    """A caller of one of the two."""

    service: OrchestrationService
    completion: Callable[[Orchestration], JobCompletedEvent]
    """Waits for the completion event of an orchestration."""
    lose_container: Callable[[int, int], dict[str, int]]
    """Has an instance lose its container so often, and returns its params."""


@pytest.fixture(scope="session")
def stack() -> Iterator[LocalStack]:
    billing = {"billing": str(Path(billing_jobs.__file__))}
    with LocalStack(str(Path(jobs.__file__)), services=billing, containers=2) as stack:
        yield stack


@pytest.fixture(params=["twin", "offline stack"])
def caller(request: pytest.FixtureRequest) -> Iterator[Caller]:
    with ExitStack() as opened:
        if request.param == "twin":
            twin = opened.enter_context(BackgroundJobs(jobs.ALL, services={"billing": [billing_jobs.bill]}))
            yield Caller(
                twin.service,
                lambda orchestration: _completion_in(twin, orchestration),
                lambda index, times: _lose_container(twin, index, times),
            )
        else:
            stack = request.getfixturevalue("stack")
            service = become_caller(stack, request.getfixturevalue("monkeypatch"))
            completion = opened.enter_context(inbox(stack.settings.event_bus))
            yield Caller(service, completion, lambda _index, times: {"kills": times})


def _lose_container(twin: BackgroundJobs, index: int, times: int) -> dict[str, int]:
    twin.lose_container(index, times=times)
    return {}


def _completion_in(twin: BackgroundJobs, orchestration: Orchestration) -> JobCompletedEvent:
    twin.run_until_idle()
    (event,) = [event for event in twin.completed_events if event.orchestration_id == orchestration.id]
    return event


@contextmanager
def inbox(bus: str) -> Iterator[Callable[[Orchestration], JobCompletedEvent]]:
    """Listen on the bus as another service would: a rule, and a queue behind it."""
    name = f"inbox-{uuid.uuid4()}"
    sqs, events = boto3.client("sqs"), boto3.client("events")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(JobCompletedEvent.pattern()))
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "inbox", "Arn": arn}])

    def receive(orchestration: Orchestration) -> JobCompletedEvent:
        for _ in range(PATIENCE):
            for message in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", []):
                event = JobCompletedEvent.model_validate(json.loads(message["Body"])["detail"])
                if event.orchestration_id == orchestration.id:
                    return event
        raise TimeoutError(orchestration.id)

    yield receive
    events.remove_targets(Rule=name, EventBusName=bus, Ids=["inbox"])
    events.delete_rule(Name=name, EventBusName=bus)
    sqs.delete_queue(QueueUrl=queue)
