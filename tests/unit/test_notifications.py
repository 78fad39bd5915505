"""What people and programs are told when an orchestration has ended."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from background_jobs.core.completion import JobCompletedEvent
from background_jobs.core.events import JobError, JobErrored
from background_jobs.core.notifications.message import Notification
from background_jobs.core.notifications.signature import signed_headers

ID = "7c0e1f5a-6e0a-4d0e-9d58-0a9e6a1f4b11"
STARTED = datetime(2026, 11, 23, 3, tzinfo=UTC)


def event(**fields: Any) -> JobCompletedEvent:
    values: dict[str, Any] = {
        "event_id": "e-1",
        "orchestration_id": ID,
        "job_name": "report",
        "service": "billing",
        "outcome": "Errored",
        "total": 415,
        "completed": 403,
        "errored": 12,
        "started_at": STARTED,
        "completed_at": STARTED + timedelta(minutes=4, seconds=7.5),
        "tags": {"customer": "acme"},
    }
    return JobCompletedEvent(**(values | fields))


def failure(index: int, message: str, kind: str = "ValueError") -> JobErrored:
    return JobErrored(
        orchestration_id=ID,
        at=STARTED,
        index=index,
        job_id=f"job-{index}",
        job_name="report",
        attempts=1,
        started_at=STARTED,
        error=JobError(type=kind, message=message, traceback=""),
    )


def notification(event: JobCompletedEvent, *failures: JobErrored, url: str = "") -> Notification:
    return Notification.of(event, failures, "prod", url)


def test_a_webhook_is_signed_as_the_standard_says() -> None:
    """The example is that of the standard's own libraries."""
    at = datetime.fromtimestamp(1614265330, UTC)

    headers = signed_headers(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        at,
        b'{"test": 2432232314}',
    )

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_secret_that_is_no_base64_is_refused_without_showing_it() -> None:
    with pytest.raises(ValueError, match="no base64") as refused:
        signed_headers("whsec_!hidden!", "id", STARTED, b"")
    assert "hidden" not in str(refused.value)


def test_a_message_says_how_it_ended_why_and_where_to_look() -> None:
    failures = [failure(n, f"customer {n} has no address") for n in range(9)]
    failures += [failure(9, "gone", "LookupError"), failure(10, "a", "A"), failure(11, "b", "B")]

    message = notification(event(), *failures, url="https://console/#/orchestrations/1")

    assert message.subject() == "[prod] report has errored: 12 of 415 instances"
    assert message.text() == (
        "report has errored: 12 of 415 instances\n"
        "\n"
        "403 completed, 12 errored, 415 in all\n"
        "Took 0:04:07, in prod\n"
        "Tag customer: acme\n"
        "9 failures: ValueError: customer 0 has no address\n"
        "1 failure: LookupError: gone\n"
        "1 failure: A: a\n"
        "and 1 further cause\n"
        "\n"
        "https://console/#/orchestrations/1\n"
    )


@pytest.mark.parametrize(
    ("fields", "subject"),
    [
        ({"outcome": "Completed", "completed": 1, "errored": 0, "total": 1}, "has completed: 1 instance"),
        ({"outcome": "Cancelled"}, "was cancelled: 403 of 415 instances completed"),
    ],
)
def test_each_outcome_has_its_words(fields: dict[str, Any], subject: str) -> None:
    assert notification(event(**fields)).subject() == f"[prod] report {subject}"


def test_a_stage_says_which_it_is_and_without_a_console_the_command_is_named() -> None:
    text = notification(event(pipeline_id=ID, stage=2, stages_left=1)).text()

    assert "Stage 2; 1 stage left in the pipeline\n" in text
    assert text.endswith(f"background-jobs show {ID}\n")


def test_the_body_is_the_event_with_its_causes() -> None:
    body = json.loads(notification(event(), failure(3, "gone")).body())

    assert body["type"] == "orchestration.completed"
    assert body["timestamp"] == "2026-11-23T03:04:07.500000Z"
    assert body["data"]["orchestration"]["errored"] == 12
    assert body["data"]["causes"] == [
        {"type": "ValueError", "message": "gone", "count": 1, "indices": [3]}
    ]  # fmt: skip
    assert body["data"]["failures_read"] == 1


def test_hostile_text_adds_no_lines_links_or_mentions() -> None:
    hostile = "a\r\nBcc: x@y\x1b[2J <!channel> <https://evil|click> & done"

    message = notification(event(job_name="ré\nport"), failure(0, hostile))

    assert message.subject().isascii()
    assert message.subject().isprintable()
    assert "\r" not in message.text()
    assert "\x1b" not in message.text()
    assert "\nBcc" not in message.text()
    description = json.loads(message.chat())["content"]["description"]
    assert "<" not in description
    assert "&lt;!channel&gt;" in description


def test_a_chat_message_has_the_schema_of_custom_notifications() -> None:
    chat = json.loads(notification(event()).chat())

    assert (chat["version"], chat["source"], chat["id"]) == ("1.0", "custom", "e-1")
    assert chat["content"]["textType"] == "client-markdown"
    assert chat["content"]["title"] == "report has errored: 12 of 415 instances"


def test_subjects_fit_and_causes_are_bounded() -> None:
    message = notification(event(job_name="j" * 80), failure(0, "x" * 100_000))

    assert len(message.subject()) < 100
    assert len(message.body()) < 4_000


@pytest.mark.parametrize("secret", ["", "whsec_", " \n"])
def test_a_secret_without_a_key_signs_nothing(secret: str) -> None:
    with pytest.raises(ValueError, match="the secret has no key"):
        signed_headers(secret, "id", STARTED, b"")


def test_the_end_of_a_line_is_no_part_of_a_secret() -> None:
    """It is there where the secret came from a file."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert signed_headers(f"{secret}\n", "id", STARTED, b"") == signed_headers(secret, "id", STARTED, b"")
