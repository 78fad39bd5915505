"""Lambda: folds the event log's stream into the read model, and publishes completions."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers

from background_jobs.aws import clients
from background_jobs.aws.event_bus import EventBus
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.aggregate_jobs import Aggregator
from background_jobs.control_plane.stream import handle_records
from background_jobs.core.events import Event
from background_jobs.core.metrics import Measurement
from background_jobs.core.read_model import Summary
from background_jobs.settings import Settings

logger = Logger()
metrics = Metrics()
copy_config_to_registered_loggers(source_logger=logger, include={"background_jobs"})


@cache
def _aggregator() -> Aggregator:
    settings = Settings.from_env()
    stores = Stores.of(settings)
    bus = EventBus(clients.events(), settings.event_bus)
    return Aggregator(stores.event_log, stores.read_model, bus, lambda: datetime.now(UTC), _meter)


def _meter(summary: Summary, measurements: Sequence[Measurement]) -> None:
    if measurements:
        metrics.add_metadata("orchestration_id", summary.orchestration_id)
        metrics.add_metadata("job_name", summary.job_name)
        for measurement in measurements:
            metrics.add_metric(measurement.metric, measurement.unit, measurement.value)
        metrics.flush_metrics()


def _aggregate(orchestration_id: str, events: Sequence[Event]) -> None:
    with logger.append_context_keys(orchestration_id=orchestration_id):
        _aggregator().aggregate(orchestration_id, events)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Aggregate the records of one batch; return the records that are to be delivered again."""
    return handle_records(event["Records"], _aggregate)
