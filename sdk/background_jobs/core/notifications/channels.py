"""The channels of an environment: where its notifications go."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, TypeAdapter

from background_jobs.core.bounds import ChannelName


class WebhookChannel(BaseModel):
    """An address that notifications are posted to, signed with a secret of Secrets Manager."""

    model_config = ConfigDict(frozen=True)

    type: Literal["webhook"] = "webhook"
    url: str
    secret_arn: str
    """The secret itself is in no variable, no event and no log."""


class TopicChannel(BaseModel):
    """A topic of SNS, to which chats, mailboxes and queues subscribe."""

    model_config = ConfigDict(frozen=True)

    type: Literal["topic"] = "topic"
    topic_arn: str


Channel = Annotated[WebhookChannel | TopicChannel, Discriminator("type")]
ChannelsByName = dict[ChannelName, Channel]

CHANNELS: Final[TypeAdapter[ChannelsByName]] = TypeAdapter(ChannelsByName)
"""Reads and writes the channels of an environment as JSON."""
