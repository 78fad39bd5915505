"""Lambda: ends orchestrations that were cancelled, or whose execution failed, timed out or was aborted."""

from functools import cache, partial
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers

from background_jobs.aws import clients
from background_jobs.aws.state_machine import StateMachine
from background_jobs.aws.stores import Stores
from background_jobs.aws.tasks import Tasks
from background_jobs.control_plane.end_orchestration import OrchestrationEnder
from background_jobs.control_plane.function_time import FunctionContext, is_nearly_over
from background_jobs.settings import ExecutionSettings, Settings

copy_config_to_registered_loggers(source_logger=Logger(), include={"background_jobs"})


@cache
def _ender() -> OrchestrationEnder:
    settings, execution = Settings.from_env(), ExecutionSettings.from_env()
    state_machine = StateMachine(clients.stepfunctions(), execution.state_machine_arn)
    return OrchestrationEnder(
        settings.environment, Stores.of(settings), state_machine, Tasks(clients.ecs(), execution.cluster_arn)
    )


def handler(event: dict[str, Any], context: FunctionContext) -> None:
    """End the orchestration that an event of EventBridge is about."""
    _ender().handle_event(event, partial(is_nearly_over, context))
