"""Lambda: tells the channels that a kick-off named that its orchestration has ended."""

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers

from background_jobs.aws import clients
from background_jobs.aws.secrets import Secrets
from background_jobs.aws.stores import Stores
from background_jobs.aws.topics import Topics
from background_jobs.control_plane.notify import Notifier
from background_jobs.core.notifications.channels import CHANNELS
from background_jobs.settings import NotifySettings, Settings

copy_config_to_registered_loggers(source_logger=Logger(), include={"background_jobs"})


@cache
def _notifier() -> Notifier:
    settings, notify = Settings.from_env(), NotifySettings.from_env()
    return Notifier(
        environment=settings.environment,
        channels=CHANNELS.validate_json(notify.channels),
        console_url=notify.console_url,
        stores=Stores.of(settings),
        secrets=Secrets(clients.client_without_types("secretsmanager")),
        topics=Topics(clients.client_without_types("sns")),
    )


def handler(event: dict[str, Any], _context: object) -> None:
    """Notify of the completion that an event of EventBridge is about."""
    _notifier().handle_event(event)
