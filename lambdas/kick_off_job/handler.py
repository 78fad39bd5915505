"""Lambda: kicks off what a schedule says is due, what waited for a run, and what follows a completion."""

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers

from background_jobs.aws.stores import Stores
from background_jobs.control_plane.kick_off_job import (
    follow_completion,
    parse_invocation,
    start_stage_of_rule,
)
from background_jobs.core.invocations import JobCompletedDelivery, ScheduleRunCompleted, StartStage
from background_jobs.core.schedules.definition import Due
from background_jobs.orchestration_service.occurrences import OccurrenceRunner
from background_jobs.settings import Settings

copy_config_to_registered_loggers(source_logger=Logger(), include={"background_jobs"})


@cache
def _parts() -> tuple[OccurrenceRunner, Stores, Settings]:
    settings = Settings.from_env()
    stores = Stores.of(settings)
    return OccurrenceRunner.from_settings(settings, stores), stores, settings


def handler(event: dict[str, Any], _context: object) -> None:
    """Do what an invocation by Scheduler or by the bus calls for; doing it twice does it once."""
    occurrences, stores, settings = _parts()
    match parse_invocation(event):
        case Due() as due:
            occurrences.run_due(due)
        case ScheduleRunCompleted(schedule=schedule):
            occurrences.start_waiting(schedule)
        case StartStage() as request:
            start_stage_of_rule(request, stores, settings)
        case JobCompletedDelivery(detail=completed):
            follow_completion(completed, occurrences, stores, settings)
