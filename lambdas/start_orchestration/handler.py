"""Lambda: starts an execution of the state machine for each orchestration that was kicked off."""

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers

from background_jobs.aws import clients
from background_jobs.aws.state_machine import StateMachine
from background_jobs.control_plane.start import start_orchestration
from background_jobs.control_plane.stream import handle_records
from background_jobs.settings import ExecutionSettings, Settings

copy_config_to_registered_loggers(source_logger=Logger(), include={"background_jobs"})


@cache
def _parts() -> tuple[Settings, StateMachine]:
    arn = ExecutionSettings.from_env().state_machine_arn
    return Settings.from_env(), StateMachine(clients.stepfunctions(), arn)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Start what one batch of records kicked off; those that failed are named, to come again."""
    return handle_records(event["Records"], lambda _, events: start_orchestration(events, *_parts()))
