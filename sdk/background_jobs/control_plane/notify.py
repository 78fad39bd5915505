"""Telling the channels of an orchestration that it has ended."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, assert_never

from botocore.exceptions import BotoCoreError, ClientError

from background_jobs.aws.secrets import Secrets
from background_jobs.aws.stores import Stores
from background_jobs.aws.topics import Topics
from background_jobs.control_plane.webhooks import WebhookRefused, post
from background_jobs.core.completion import JobCompletedEvent
from background_jobs.core.errors import BackgroundJobsError
from background_jobs.core.notifications.channels import Channel, TopicChannel, WebhookChannel
from background_jobs.core.notifications.message import Notification
from background_jobs.core.notifications.signature import signed_headers
from background_jobs.orchestration_service.outcomes import read_errors

_FAILURES: Final = 20_000
"""The failures whose causes are told: they are read in seconds."""
_log = logging.getLogger(__name__)


class NotificationNotSent(BackgroundJobsError):
    """Channels did not take a notification; EventBridge's event is tried again, with the same id."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self.reasons = dict(reasons)
        each = "; ".join(f"{channel}: {reason}" for channel, reason in reasons.items())
        super().__init__(f"Channels did not take the notification. {each}")


@dataclass(frozen=True, slots=True)
class Notifier:
    """Sends notifications to the channels of an environment."""

    environment: str
    channels: Mapping[str, Channel]
    console_url: str
    stores: Stores
    secrets: Secrets
    topics: Topics

    def handle_event(self, event: Mapping[str, Any]) -> None:
        """Tell the channels of the orchestration that *event*, of EventBridge, says has completed.

        Every channel is tried. Raises NotificationNotSent where one did not take it: another call sends to
        all of them again, and receivers drop what they have by its id.
        """
        completed = JobCompletedEvent.from_eventbridge(event)
        stores = self.stores.for_service(completed.service)
        started = stores.event_log.read_started(completed.orchestration_id)
        if channels := self._known(started.notify or (), completed.orchestration_id):
            self._send_to_all(self._write(completed, stores), channels)

    def _write(self, completed: JobCompletedEvent, stores: Stores) -> Notification:
        orchestration_id = completed.orchestration_id
        failures = read_errors(orchestration_id, None, stores) if completed.errored else iter(())
        console = self.console_url
        url = f"{console}#/orchestrations/{orchestration_id}" if console else ""
        return Notification.of(completed, islice(failures, _FAILURES), self.environment, url)

    def _known(self, names: tuple[str, ...], orchestration_id: str) -> dict[str, Channel]:
        for name in names:
            if name not in self.channels:
                _log.warning(
                    "A channel that a kick-off named is no longer declared",
                    extra={"orchestration_id": orchestration_id, "channel": name},
                )
        return {name: self.channels[name] for name in names if name in self.channels}

    def _send_to_all(self, notification: Notification, channels: Mapping[str, Channel]) -> None:
        reasons: dict[str, str] = {}
        for name, channel in channels.items():
            try:
                self._send(notification, channel)
            except (WebhookRefused, ClientError, BotoCoreError, ValueError) as failed:
                reasons[name] = str(failed)
        if reasons:
            raise NotificationNotSent(reasons)

    def _send(self, notification: Notification, channel: Channel) -> None:
        match channel:
            case WebhookChannel(url=url, secret_arn=arn):
                body = notification.body()
                secret = self.secrets.read(arn)
                post(url, signed_headers(secret, notification.id, datetime.now(UTC), body), body)
            case TopicChannel(topic_arn=topic):
                self.topics.publish(
                    topic, subject=notification.subject(), text=notification.text(), chat=notification.chat()
                )
            case _:
                assert_never(channel)
