"""Lambda: notes why a share cannot be launched for now, and says when to try again."""

import random
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from background_jobs.aws.stores import Stores
from background_jobs.control_plane.note_delay import note_delay, parse_delay
from background_jobs.settings import Settings

logger = Logger()


@cache
def _stores() -> Stores:
    return Stores.of(Settings.from_env())


def handler(event: dict[str, Any], _context: object) -> dict[str, int]:
    """Note a launch that was refused to the state machine, or a task that ECS could not start."""
    report = parse_delay(event)
    if report is None:
        return {"wait_seconds": 0}
    seconds = note_delay(report, _stores(), datetime.now(UTC), draw=random.random())  # noqa: S311 -- jitter
    logger.warning("A share is delayed", extra=report.model_dump())
    return {"wait_seconds": seconds}
