"""The channels of an environment that kick-offs may name, to hear of the end."""

import ipaddress
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from background_jobs.cdk.validation import ValidatedConfig
from background_jobs.core.bounds import ChannelName
from background_jobs.core.notifications.channels import (
    CHANNELS,
    Channel,
    ChannelsByName,
    TopicChannel,
    WebhookChannel,
)

CHANNELS_BYTES: Final = 2_000
"""What the channels may take of the 4 KB that Lambda gives all variables of a function."""


class Webhook(ValidatedConfig):
    """A receiver of signed notifications (Standard Webhooks)."""

    url: str = Field(max_length=1_000)
    secret_arn: Annotated[
        str,
        Field(
            pattern=r"^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:\d{12}:secret:[A-Za-z0-9/_+=.@-]+-[A-Za-z0-9]{6}$"
        ),
    ]
    """The whole ARN of a secret of Secrets Manager, whose text is ``whsec_`` and a key in base64."""

    @model_validator(mode="after")
    def _is_public(self) -> Self:
        """Refuse what is no public address over TLS; what a name leads to is known to its DNS alone."""
        if not self.url.isascii() or not self.url.isprintable() or " " in self.url:
            raise ValueError(f"url={self.url!r} has a space or a sign beyond ASCII; write it percent-encoded")
        parts = urlsplit(self.url)
        if parts.scheme != "https" or not parts.hostname or parts.username:
            raise ValueError(f"url={self.url!r} must be https://, a host and a path, with no user")
        try:
            address = ipaddress.ip_address(parts.hostname)
        except ValueError:
            return self
        if not address.is_global:
            raise ValueError(f"url={self.url!r} is an address of no public host")
        return self

    @property
    def channel(self) -> Channel:
        """Return it as the function that notifies reads it."""
        return WebhookChannel(url=self.url, secret_arn=self.secret_arn)


class Topic(ValidatedConfig):
    """A topic of SNS; Slack, Teams, mailboxes and queues subscribe to it."""

    arn: Annotated[str, Field(pattern=r"^arn:[a-z-]+:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]+$")]

    @property
    def channel(self) -> Channel:
        """Return it as the function that notifies reads it."""
        return TopicChannel(topic_arn=self.arn)


NotificationConfigs = dict[ChannelName, Webhook | Topic]


def channels_of(configs: NotificationConfigs) -> ChannelsByName:
    """Return the channels, by name, as the function that notifies reads them."""
    return {name: config.channel for name, config in configs.items()}


def explain_too_many(configs: NotificationConfigs) -> str | None:
    """Return why these channels cannot be declared; None if they can."""
    size = len(CHANNELS.dump_json(channels_of(configs)))
    if size <= CHANNELS_BYTES:
        return None
    return (
        f"notifications are {size:,} bytes of JSON, and {CHANNELS_BYTES:,} is the most; "
        "let several receivers subscribe to one topic"
    )
