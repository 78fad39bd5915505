"""Notifications of completed orchestrations: which channels hear of them, and what happens where one does not."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from background_jobs import InvalidKickOff, OrchestrationService, Stage
from background_jobs.aws import clients
from background_jobs.aws.secrets import Secrets
from background_jobs.aws.stores import Stores
from background_jobs.aws.topics import Topics
from background_jobs.control_plane import kick_off_job
from background_jobs.control_plane.notify import NotificationNotSent, Notifier
from background_jobs.core.bus import EVENT_SOURCE, JOB_COMPLETED_DETAIL_TYPE
from background_jobs.core.completion import JobCompletedEvent
from background_jobs.core.notifications.channels import TopicChannel, WebhookChannel
from background_jobs.core.notifications.signature import signed_headers
from background_jobs.settings import Settings
from tests.memory import SETTINGS
from tests.receiver import Receiver, receiving

NOTIFYING = SETTINGS.model_copy(update={"notify_channels": ("ops", "team")})
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def settings() -> Settings:
    return NOTIFYING


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def inbox() -> Callable[[], list[dict[str, Any]]]:
    """A queue that subscribes to the topic of channel `team`; it gets what is for programs and mailboxes."""
    sns, sqs = boto3.client("sns"), boto3.client("sqs")
    topic = sns.create_topic(Name="team")["TopicArn"]
    queue = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def read() -> list[dict[str, Any]]:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in messages]

    return read


@pytest.fixture
def notifier(
    stores: Stores, receiver: Receiver, inbox: Callable[[], list[dict[str, Any]]]
) -> Notifier:  # fmt: skip
    secret = boto3.client("secretsmanager").create_secret(Name="ops", SecretString=SECRET)["ARN"]
    topic = boto3.client("sns").create_topic(Name="team")["TopicArn"]
    return Notifier(
        environment="test",
        channels={
            "ops": WebhookChannel(url=f"{receiver.url}/hook", secret_arn=secret),
            "team": TopicChannel(topic_arn=topic),
        },
        console_url="https://console/",
        stores=stores,
        secrets=Secrets(clients.client_without_types("secretsmanager")),
        topics=Topics(clients.client_without_types("sns")),
    )


@pytest.fixture
def complete(
    service: OrchestrationService,
    launch: Callable[..., None],
    aggregate_completion: Callable[[], None],
    stores: Stores,
) -> Callable[..., dict[str, Any]]:
    """Run an orchestration of two instances, one of which errors, and return its event on the bus."""

    def complete(**options: Any) -> dict[str, Any]:
        orchestration = service.kick_off_job("halve", [{"n": 2}, {"n": 3}], parallelism=1, **options)
        launch(orchestration)
        aggregate_completion()
        completion = stores.event_log.read_completed(orchestration.id)
        assert completion
        detail = JobCompletedEvent.from_completion(completion).model_dump_json()
        return {
            "source": EVENT_SOURCE,
            "detail-type": JOB_COMPLETED_DETAIL_TYPE,
            "detail": json.loads(detail),
        }

    return complete


def test_a_webhook_gets_counts_causes_and_a_link_signed(
    complete: Callable[..., dict[str, Any]], notifier: Notifier, receiver: Receiver
) -> None:
    event = complete(notify="ops")

    notifier.handle_event(event)

    (post,) = receiver.posts
    assert post.path == "/hook"
    assert post.headers["content-type"] == "application/json"
    assert post.headers["webhook-id"] == event["detail"]["event_id"]
    at = datetime.fromtimestamp(int(post.headers["webhook-timestamp"]), UTC)
    expected = signed_headers(SECRET, event["detail"]["event_id"], at, post.body)
    assert post.headers["webhook-signature"] == expected["webhook-signature"]
    data = json.loads(post.body)["data"]
    assert (data["orchestration"]["completed"], data["orchestration"]["errored"]) == (1, 1)
    assert [(cause["count"], cause["indices"]) for cause in data["causes"]] == [(1, [1])]
    assert data["url"] == f"https://console/#/orchestrations/{event['detail']['orchestration_id']}"


def test_a_topic_gets_a_subject_and_lines(
    complete: Callable[..., dict[str, Any]], notifier: Notifier, inbox: Callable[[], list[dict[str, Any]]]
) -> None:
    notifier.handle_event(complete(notify=["team"]))

    (message,) = inbox()
    assert message["Subject"] == "[test] halve has errored: 1 of 2 instances"
    assert message["Message"].startswith("halve has errored: 1 of 2 instances\n\n1 completed, 1 errored")


def test_nobody_is_told_of_what_named_no_channel(
    complete: Callable[..., dict[str, Any]], notifier: Notifier, receiver: Receiver
) -> None:
    notifier.handle_event(complete())

    assert receiver.posts == []


@pytest.mark.parametrize("status", [500, 410, 302])
def test_a_channel_that_refuses_does_not_keep_the_others_from_hearing_and_is_tried_again(
    status: int,
    complete: Callable[..., dict[str, Any]],
    notifier: Notifier,
    receiver: Receiver,
    inbox: Callable[[], list[dict[str, Any]]],
) -> None:
    receiver.statuses, receiver.location = [status], f"{receiver.url}/elsewhere"
    event = complete(notify=["ops", "team"])

    with pytest.raises(NotificationNotSent, match=f"ops: .*it answered {status}") as failed:
        notifier.handle_event(event)
    assert "/hook" not in str(failed.value)
    assert len(inbox()) == 1

    notifier.handle_event(event)
    first, second = receiver.posts
    assert (first.path, second.path) == ("/hook", "/hook")
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


def test_a_channel_that_is_no_longer_declared_keeps_no_other_from_hearing(
    complete: Callable[..., dict[str, Any]], notifier: Notifier, receiver: Receiver
) -> None:
    event = complete(notify=["ops", "team"])
    remaining = Notifier(
        environment="test",
        channels={"ops": notifier.channels["ops"]},
        console_url="",
        stores=notifier.stores,
        secrets=notifier.secrets,
        topics=notifier.topics,
    )

    remaining.handle_event(event)

    assert len(receiver.posts) == 1


@pytest.mark.parametrize(
    ("notify", "reason"),
    [
        (["opps"], "There is no channel 'opps' in this environment. It has: ops, team"),
        ("http://169.254.169.254/", "give the names of channels"),
        ("arn:aws:sns:eu-central-1:123456789012:mine", "give the names of channels"),
        ([f"c{n}" for n in range(11)], "11 channels, and 10 is the most"),
        (3, "notify=3: give the names"),
    ],
)
def test_what_is_no_channel_of_the_environment_is_refused_at_the_door(
    service: OrchestrationService, dynamodb_calls: list[str], notify: Any, reason: str
) -> None:
    for refuse in (
        lambda: service.kick_off_job("halve", [{"n": 2}], notify=notify),
        lambda: service.schedule_job("nightly", "halve", [{"n": 2}], cron="0 3 * * *", notify=notify),
    ):
        with pytest.raises(InvalidKickOff, match=reason):
            refuse()
    assert dynamodb_calls == []
    assert service.schedules() == []


def test_an_environment_without_channels_says_where_to_declare_them(stores: Stores) -> None:
    with pytest.raises(InvalidKickOff, match=r"It has none\. .*notifications=.*--webhook"):
        OrchestrationService(SETTINGS).kick_off_job("halve", [{"n": 2}], notify="ops")


def test_stages_and_reruns_take_over_the_channels_that_there_still_are(
    complete: Callable[..., dict[str, Any]], service: OrchestrationService, stores: Stores, settings: Settings
) -> None:
    then = Stage("halve", params=[{"n": 2}], on_failure="continue")
    first = complete(notify=["ops", "team"], then=then)["detail"]["orchestration_id"]
    fewer = settings.model_copy(update={"notify_channels": ("team",)})

    assert kick_off_job.start_next("default", first, stores, fewer)
    again = OrchestrationService(fewer).rerun(first)
    silent = service.rerun(first, notify=[])

    stage = service.orchestration(first).pipeline().stages()[1].orchestration
    assert stage
    notified = [stores.event_log.read_started(one.id).notify for one in (stage, again, silent)]
    assert notified == [("team",), ("team",), None]


def test_the_same_key_with_other_channels_is_a_conflict(service: OrchestrationService) -> None:
    service.kick_off_job("halve", [{"n": 2}], key="k", notify="ops")

    service.kick_off_job("halve", [{"n": 2}], key="k", notify=["ops", "ops"])
    with pytest.raises(Exception, match="the channels"):
        service.kick_off_job("halve", [{"n": 2}], key="k")
