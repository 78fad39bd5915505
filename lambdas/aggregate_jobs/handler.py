"""Lambda: folds the event log's stream into the read model, and publishes completions."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers
from aws_lambda_powertools.metrics import MetricUnit

from background_jobs.aws import clients
from background_jobs.aws.event_bus import EventBus
from background_jobs.aws.failure_queue import FailureQueue
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.aggregate_jobs import Aggregator
from background_jobs.control_plane.function_time import FunctionContext, is_nearly_over
from background_jobs.control_plane.stream import handle_records, report_changes
from background_jobs.core.events import Event
from background_jobs.core.given_up import UnreadableRecord
from background_jobs.core.metrics import Measurement, Metric, cut_metric_sets
from background_jobs.core.read_model import Summary
from background_jobs.settings import Settings, StreamSettings

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
    # `add_metric` writes all values so far into a message for each value: a third of this function's time.
    metadata = {"orchestration_id": summary.orchestration_id, "job_name": summary.job_name}
    for metric_set in cut_metric_sets(measurements):
        document = metrics.serialize_metric_set(metrics=metric_set, metadata=metadata)
        print(json.dumps(document))  # noqa: T201 -- CloudWatch takes metrics from the log


def _aggregate(
    context: FunctionContext, service: str, orchestration_id: str, events: Sequence[Event]
) -> None:
    is_over = partial(is_nearly_over, context)
    with logger.append_context_keys(service_name=service, orchestration_id=orchestration_id):
        _aggregator().aggregate(service, orchestration_id, events, is_over=is_over)


def _give_up(record: UnreadableRecord) -> None:
    FailureQueue(clients.sqs(), StreamSettings.from_env().failure_queue, "aggregate_jobs").send(record)


def handler(event: dict[str, Any], context: FunctionContext) -> dict[str, Any]:
    """Aggregate the records of one batch; return the records that are to be delivered again."""
    changes = report_changes(event["Records"])
    if changes:
        metrics.add_metric(Metric.EVENTS_REPLACED, MetricUnit.Count, changes)
        metrics.flush_metrics()
    answer = handle_records(event["Records"], partial(_aggregate, context), _give_up)
    if failed := len(answer["batchItemFailures"]):
        metrics.add_metric(Metric.RECORDS_FAILED, MetricUnit.Count, failed)
        metrics.flush_metrics()
    return answer
