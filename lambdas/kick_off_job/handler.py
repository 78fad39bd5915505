"""Lambda: kicks off what a schedule says is due, what waited for a run, and what follows a completion."""

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers

from background_jobs.aws.stores import Stores
from background_jobs.control_plane.kick_off_job import Following, start_following, start_next
from background_jobs.core.bus import JOB_COMPLETED_DETAIL_TYPE
from background_jobs.core.completion import JobCompletedEvent
from background_jobs.core.invocations import FOLLOWING, RUN_COMPLETED_OF
from background_jobs.core.schedules.definition import Due
from background_jobs.core.tags import SCHEDULE_TAG
from background_jobs.orchestration_service.occurrences import OccurrenceRunner, make_occurrence_runner
from background_jobs.settings import Settings

copy_config_to_registered_loggers(source_logger=Logger(), include={"background_jobs"})


@cache
def _parts() -> tuple[Stores, Settings]:
    settings = Settings.from_env()
    return Stores.of(settings), settings


@cache
def _occurrence_runner() -> OccurrenceRunner:
    return make_occurrence_runner(*_parts())


def handler(event: dict[str, Any], _context: object) -> None:
    """Do what an event of Scheduler or of the bus calls for; doing it twice does it once."""
    if RUN_COMPLETED_OF in event:
        _occurrence_runner().start_waiting(event[RUN_COMPLETED_OF])
    elif FOLLOWING in event:
        start_following(Following.model_validate(event[FOLLOWING]), *_parts())
    elif event.get("detail-type") == JOB_COMPLETED_DETAIL_TYPE:
        completed = JobCompletedEvent.from_eventbridge(event)
        schedule = completed.tags.get(SCHEDULE_TAG)
        if not start_next(completed.orchestration_id, *_parts()) and schedule:
            # The run has ended early, and no other event will say so.
            _occurrence_runner().start_waiting(schedule)
    else:
        _occurrence_runner().run_due(Due.model_validate(event))
