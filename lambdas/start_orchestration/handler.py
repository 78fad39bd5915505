"""Lambda: starts an execution of the state machine for each orchestration that was kicked off."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers
from aws_lambda_powertools.metrics import MetricUnit

from background_jobs.aws import clients
from background_jobs.aws.failure_queue import FailureQueue
from background_jobs.aws.offer_queue import OfferQueue, find_queue
from background_jobs.aws.state_machine import StateMachine
from background_jobs.aws.task_definitions import TaskDefinitions
from background_jobs.aws.warm_services import WarmServices
from background_jobs.control_plane.start_orchestration import start_orchestration
from background_jobs.control_plane.stream import handle_records
from background_jobs.control_plane.warm_workers import WarmOffers
from background_jobs.core.containers.variables import task_family
from background_jobs.core.events import Event
from background_jobs.core.given_up import UnreadableRecord
from background_jobs.core.metrics import Measurement, Metric
from background_jobs.settings import ExecutionSettings, Settings, StreamSettings

logger = Logger()
metrics = Metrics()
copy_config_to_registered_loggers(source_logger=logger, include={"background_jobs"})


@cache
def _parts() -> tuple[Settings, ExecutionSettings, StateMachine, TaskDefinitions, WarmOffers]:
    settings, execution = Settings.from_env(), ExecutionSettings.from_env()
    state_machine = StateMachine(clients.stepfunctions(), execution.state_machine_arn)
    warm = WarmOffers(
        execution.warm_workers,
        execution.capacity_providers,
        WarmServices(clients.ecs(), execution.cluster_arn),
        cache(lambda service: find_queue(clients.sqs(), task_family(settings.environment, service))),
        lambda queue: OfferQueue(clients.sqs(), queue),
        _measure,
    )
    return settings, execution, state_machine, TaskDefinitions(clients.ecs()), warm


def _measure(measurements: Iterable[Measurement]) -> None:
    for measurement in measurements:
        metrics.add_metric(measurement.metric, measurement.unit, measurement.value)
    metrics.flush_metrics()


def _start(service: str, orchestration_id: str, events: Sequence[Event]) -> None:
    with logger.append_context_keys(service_name=service, orchestration_id=orchestration_id):
        settings, execution, state_machine, task_definitions, warm = _parts()
        start_orchestration(events, settings, execution, state_machine, task_definitions, warm=warm)


def _give_up(record: UnreadableRecord) -> None:
    FailureQueue(clients.sqs(), StreamSettings.from_env().failure_queue, "start_orchestration").send(record)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Start the orchestrations of one batch of records; return the records that are to be delivered again."""
    answer = handle_records(event["Records"], _start, _give_up)
    if failed := len(answer["batchItemFailures"]):
        metrics.add_metric(Metric.RECORDS_FAILED, MetricUnit.Count, failed)
        metrics.flush_metrics()
    return answer
