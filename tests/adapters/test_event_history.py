"""The event history of an orchestration, why its instances wait, and warnings of standstills."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

from background_jobs import OrchestrationService
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.note_stalls import note_stalls
from background_jobs.settings import Settings

HOUR = timedelta(hours=1)


def test_an_orchestration_without_instances_starts_before_it_completes(
    service: OrchestrationService,
    aggregate: Callable[[], list[Any]],
    aggregate_completion: Callable[[], None],
) -> None:
    orchestration = service.kick_off_job("halve", [])
    aggregate()
    aggregate_completion()
    timeline = orchestration.event_history().timeline
    assert [entry.type for entry in timeline] == ["OrchestrationStarted", "OrchestrationCompleted"]


def test_an_event_history_has_the_timeline_and_the_launches(
    service: OrchestrationService,
    launch: Callable[..., None],
    aggregate: Callable[[], list[Any]],
    aggregate_completion: Callable[[], None],
) -> None:
    orchestration = service.kick_off_job("halve", [{"n": n} for n in (2, 3, 4)], parallelism=2)
    launch(orchestration, share=1)
    aggregate()

    history = orchestration.event_history()

    assert [entry.type for entry in history.timeline] == [
        "OrchestrationStarted",
        "ContainerStarted",
        "ContainerEnded",
    ]
    assert "3 instances of halve in 2 shares" in history.timeline[0].detail
    (container,) = history.launches
    assert (container.share, container.first, container.last, container.status) == (1, 2, 2, 0)
    assert container.ended_at is not None
    assert history.container_seconds == (container.ended_at - container.started_at).total_seconds() > 0
    assert [(wait.reason, wait.instances) for wait in history.waits] == [("waiting for launch", 2)]

    launch(orchestration, share=0)
    aggregate_completion()
    details = {entry.type: entry.detail for entry in orchestration.event_history().timeline}
    assert details["OrchestrationCompleted"] == "2 completed, 1 errored"
    assert (orchestration.waits(), orchestration.event_history().lost) == ([], 0)


def test_a_standstill_is_reported_once_with_its_reasons(
    service: OrchestrationService,
    stores: Stores,
    settings: Settings,
    launch: Callable[..., None],
    aggregate: Callable[[], list[Any]],
) -> None:
    # given an orchestration that was never launched, one that is done, and a queue behind the bus
    listen = listening(settings)
    waiting = service.kick_off_job("halve", [{"n": 2}], tags={"customer": "acme"})
    done = service.kick_off_job("halve", [{"n": 2}])
    launch(done)
    assert (aggregate(), aggregate()) == ([], [])
    now = datetime.now(UTC)
    # when half an hour, and twice more than an hour have passed
    assert note_stalls(stores, now + HOUR / 2, allowed=HOUR) == []
    for later in (now + 2 * HOUR, now + 3 * HOUR):
        assert [stalled.orchestration_id for stalled in note_stalls(stores, later, allowed=HOUR)] == [
            waiting.id
        ]
    aggregate()
    # then the bus has one warning, which says why
    (warning,) = [event["detail"] for event in listen() if event["detail-type"] == "OrchestrationStalled"]
    assert (warning["orchestration_id"], warning["tags"]) == (waiting.id, {"customer": "acme"})
    assert "1 instance: waiting for launch" in warning["reasons"][0]
    assert waiting.event_history().timeline[-1].type == "OrchestrationStalled"


def listening(settings: Settings) -> Callable[[], list[dict[str, Any]]]:
    """Put a queue behind everything on the bus, and return what reads it."""
    sqs, events = boto3.client("sqs"), boto3.client("events")
    url = sqs.create_queue(QueueName="listener")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = json.dumps({"source": ["background-jobs"]})
    events.put_rule(Name="all", EventBusName=settings.event_bus, EventPattern=pattern)
    events.put_targets(Rule="all", EventBusName=settings.event_bus, Targets=[{"Id": "queue", "Arn": arn}])

    def read() -> list[dict[str, Any]]:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in messages]

    return read
