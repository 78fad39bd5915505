"""The main job through the whole path: kick-off, stream, state machine, containers, aggregation, bus."""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from background_jobs import (
    JobCompletedEvent,
    OrchestrationService,
    Status,
    UnknownJobName,
)
from background_jobs.core.events import ContainerStarted, parse_event
from background_jobs.core.ids import job_id
from background_jobs.core.statuses import status_of
from background_jobs.local_stack import LocalStack

PATIENCE = 120


@pytest.fixture
def inbox(stack: LocalStack) -> Iterator[Callable[[str], JobCompletedEvent]]:
    """Listen on the bus as another service would: a rule, and a queue behind it."""
    name = f"inbox-{uuid.uuid4()}"
    sqs, events = boto3.client("sqs"), boto3.client("events")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bus = stack.settings.event_bus
    pattern = json.dumps({"source": ["background-jobs"], "detail-type": ["JobCompletedEvent"]})
    events.put_rule(Name=name, EventBusName=bus, EventPattern=pattern)
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "inbox", "Arn": arn}])

    def receive_completion(orchestration_id: str) -> JobCompletedEvent:
        for _ in range(PATIENCE):
            for message in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", []):
                event = JobCompletedEvent.model_validate(json.loads(message["Body"])["detail"])
                if event.orchestration_id == orchestration_id:
                    return event
        raise TimeoutError(orchestration_id)

    yield receive_completion
    events.remove_targets(Rule=name, EventBusName=bus, Ids=["inbox"])
    events.delete_rule(Name=name, EventBusName=bus)
    sqs.delete_queue(QueueUrl=queue)


def test_every_instance_completes_and_the_bus_hears_of_it(
    service: OrchestrationService, inbox: Callable[[str], JobCompletedEvent]
) -> None:
    params = [{"values": [n, n + 1]} for n in range(20)]
    orchestration = service.kick_off_job("total", params, parallelism=2, tags={"customer": "acme"})

    successes, failures = service.get_job_results(orchestration.id, timeout=PATIENCE)

    assert failures is None
    assert [success.params for success in successes] == params
    assert [success.result for success in successes] == [
        {"total": 2 * n + 1, "index": n, "customer": "acme"} for n in range(20)
    ]
    assert [success.job_id for success in successes] == [job_id(orchestration.id, n) for n in range(20)]
    event = inbox(orchestration.id)
    assert (event.job_name, event.outcome, event.total, event.completed, event.errored) == (
        "total",
        "Completed",
        20,
        20,
        0,
    )
    assert event.tags == {"customer": "acme"}


def test_a_failure_keeps_its_params_and_blocks_none_of_its_siblings(
    service: OrchestrationService, inbox: Callable[[str], JobCompletedEvent]
) -> None:
    params = [{"bad": f"apple {n}"} if n % 5 == 0 else {"n": n} for n in range(20)]
    orchestration = service.kick_off_job("fussy", params, parallelism=2)

    successes, failures = service.get_job_results(orchestration.id, timeout=PATIENCE)

    assert failures is not None
    assert [failure.index for failure in failures] == [0, 5, 10, 15]
    assert [failure.params for failure in failures] == [params[n] for n in (0, 5, 10, 15)]
    assert (failures[1].error.type, failures[1].error.message) == ("ValueError", "apple 5 is bad")
    assert "raise ValueError" in failures[1].error.traceback
    assert len(successes) == 16
    assert inbox(orchestration.id).outcome == "Errored"


def test_all_may_fail(service: OrchestrationService) -> None:
    """There are results then as well, and no exception."""
    orchestration = service.kick_off_job("fussy", [{"bad": n} for n in range(1, 6)], parallelism=2)
    successes, failures = service.get_job_results(orchestration.id, timeout=PATIENCE)
    assert successes == []
    assert failures is not None
    assert len(failures) == 5


def test_one_instance_knows_its_name_its_orchestration_and_its_id(service: OrchestrationService) -> None:
    names = ["JOB_NAME", "ORCHESTRATION_ID", "JOB_ID"]
    orchestration = service.kick_off_job("environment", [{"names": names}])
    (success,) = service.get_job_results(orchestration.id, timeout=PATIENCE).successes
    assert success.result == {
        "JOB_NAME": "environment",
        "ORCHESTRATION_ID": orchestration.id,
        "JOB_ID": success.job_id,
    }


def test_no_instances_complete_at_once(
    service: OrchestrationService, inbox: Callable[[str], JobCompletedEvent]
) -> None:
    orchestration = service.kick_off_job("total", [])
    assert service.get_job_results(orchestration.id, timeout=PATIENCE) == ([], None)
    assert inbox(orchestration.id).total == 0


def test_a_thousand_instances_are_watched_to_their_end(service: OrchestrationService) -> None:
    orchestration = service.kick_off_job("total", ({"values": [n]} for n in range(1_000)), parallelism=2)

    updates = list(orchestration.watch(timeout=PATIENCE))

    final = {move.index: status_of(move.rank) for update in updates for move in update.transitions}
    assert final == dict.fromkeys(range(1_000), Status.COMPLETED)
    assert updates[-1].summary.completed == 1_000
    successes, failures = service.get_job_results(orchestration.id, timeout=PATIENCE)
    assert failures is None
    assert [success.result["total"] for success in successes] == list(range(1_000))


def test_an_unknown_job_is_refused_where_the_stack_knows_its_jobs(service: OrchestrationService) -> None:
    with pytest.raises(UnknownJobName, match=r"'totla'.*'fussy', .*'total'"):
        service.kick_off_job("totla", [{}])


def test_an_unknown_job_errors_every_instance_where_the_jobs_are_not_known(stack: LocalStack) -> None:
    """A caller without the names cannot refuse the kick-off; the container can only fail the instances."""
    unknown = stack.settings.model_copy(update={"job_names": (), "environment": "elsewhere"})
    service = OrchestrationService(unknown)
    orchestration = service.kick_off_job("totla", [{}, {}])
    failures = service.get_job_results(orchestration.id, timeout=PATIENCE).failures
    assert failures is not None
    assert len(failures) == 2
    assert all("This service has: 'environment', " in failure.error.message for failure in failures)


def test_a_job_that_exits_its_process_errors_alone(service: OrchestrationService) -> None:
    orchestration = service.kick_off_job("exit", [{}, {"exit": True}, {}, {}], parallelism=1)

    successes, failures = service.get_job_results(orchestration.id, timeout=PATIENCE)

    assert [success.index for success in successes] == [0, 2, 3]
    assert failures is not None
    assert [(failure.index, failure.params, failure.error.type) for failure in failures] == [
        (1, {"exit": True}, "ContainerLost")
    ]


def test_two_orchestrations_at_once_keep_apart(service: OrchestrationService) -> None:
    first = service.kick_off_job("total", [{"values": [1]}] * 30, parallelism=2)
    second = service.kick_off_job("fussy", [{"bad": "b"}, {}] * 15, parallelism=2)

    assert [s.result["total"] for s in first.results(PATIENCE).successes] == [1] * 30
    successes, failures = second.results(PATIENCE)
    assert failures is not None
    assert (len(successes), len(failures)) == (15, 15)


def test_no_more_containers_are_launched_than_were_asked_for(
    service: OrchestrationService, stack: LocalStack
) -> None:
    orchestration = service.kick_off_job("total", [{"values": [1]}] * 30, parallelism=3)
    orchestration.wait(PATIENCE)
    items: Any = boto3.client("dynamodb").query(
        TableName=stack.settings.event_log_table,
        KeyConditionExpression="pk = :p AND begins_with(sk, :c)",
        ExpressionAttributeValues={":p": {"S": f"default#{orchestration.id}"}, ":c": {"S": "container#"}},
    )["Items"]
    containers = [parse_event(item["document"]["S"]) for item in items]
    assert [(c.first, c.last) for c in containers if isinstance(c, ContainerStarted)] == [
        (0, 9),
        (10, 19),
        (20, 29),
    ]
