"""Lambda: kicks off what a schedule says is due, and what waited for the run before."""

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers

from background_jobs.core import naming
from background_jobs.core.schedules import Due
from background_jobs.orchestration_service import OrchestrationService

copy_config_to_registered_loggers(source_logger=Logger(), include={"background_jobs"})


@cache
def _service() -> OrchestrationService:
    return OrchestrationService()


def handler(event: dict[str, Any], _context: object) -> None:
    """Carry out an occurrence that is due, or start what waits for a run that completed."""
    firing = _service().firing
    if naming.RUN_COMPLETED_OF in event:
        firing.run_completed(event[naming.RUN_COMPLETED_OF])
    else:
        firing.due(Due.model_validate(event))
