"""The channels of an offline stack: webhooks that receivers on this machine can be."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from background_jobs.aws import clients
from background_jobs.core.bounds import CHANNEL_NAME
from background_jobs.core.notifications.channels import CHANNELS, ChannelsByName, WebhookChannel
from background_jobs.settings import PREFIX, NotifySettings, output_name

WEBHOOK_SECRET: Final = "whsec_b2ZmbGluZS1zdGFjay1vZi1iYWNrZ3JvdW5kLWpvYnM="  # noqa: S105 -- documented, and for tests
"""The secret by which every offline stack signs."""
_NAMES: Final = f"{PREFIX}NOTIFY_CHANNELS"


def explain_refusal(notify: Mapping[str, str]) -> str | None:
    """Return why *notify*, addresses by the names of channels, cannot be; None if it can."""
    for name, url in notify.items():
        if not re.fullmatch(CHANNEL_NAME, name):
            return f"{name!r} is no name of a channel: write lower-case letters, digits and hyphens."
        if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
            return f"{url!r} is no address for channel {name!r}: write http://127.0.0.1:PORT/ or another."
    return None


def add_channels(
    template: dict[str, Any], added: dict[str, Any], names: Iterable[str], settings: NotifySettings
) -> None:
    """Add the function that notifies to *template*, and tell callers and functions the *names*."""
    template["Resources"] |= added
    for resource in added.values():
        if resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"]["Environment"]["Variables"] |= settings.to_env()
    listed = ",".join(names)
    template["Outputs"][output_name("notify_channels")] = {"Value": listed}
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"]["Environment"]["Variables"][_NAMES] = listed


def make_channels(notify: Mapping[str, str]) -> str:
    """Return the channels as JSON, all of them signed by WEBHOOK_SECRET."""
    secrets = clients.client_without_types("secretsmanager")
    arn = secrets.create_secret(Name="notifications", SecretString=WEBHOOK_SECRET)["ARN"]
    channels: ChannelsByName = {name: WebhookChannel(url=url, secret_arn=arn) for name, url in notify.items()}
    return CHANNELS.dump_json(channels).decode()
