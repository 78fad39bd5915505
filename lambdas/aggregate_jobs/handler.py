"""Lambda: folds the event log's stream into the read model, and publishes completions."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers

from background_jobs.aws import clients
from background_jobs.aws.event_bus import EventBus
from background_jobs.aws.rooms import Rooms
from background_jobs.control_plane.aggregate import Aggregator
from background_jobs.control_plane.stream import handle_records
from background_jobs.settings import Settings

copy_config_to_registered_loggers(source_logger=Logger(), include={"background_jobs"})


@cache
def _aggregator() -> Aggregator:
    settings = Settings.from_env()
    rooms = Rooms.of(settings)
    bus = EventBus(clients.events(), settings.event_bus)
    return Aggregator(rooms.event_log, rooms.read_model, bus, clock=lambda: datetime.now(UTC))


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Aggregate the records of one batch; those that failed are named, to come again."""
    return handle_records(event["Records"], _aggregator().aggregate)
