"""Lambda: notes why the launch of a share failed, and says whether and when to try again."""

import random
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from background_jobs.aws.stores import Stores
from background_jobs.control_plane.last_words import read_last_words
from background_jobs.control_plane.note_delay import DelayReport, note_delay
from background_jobs.settings import Settings

logger = Logger()


@cache
def _parts() -> tuple[Stores, Settings]:
    settings = Settings.from_env()
    return Stores.of(settings), settings


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Note a launch that failed, and answer the state machine what to do next."""
    report = DelayReport.model_validate(event)
    stores, settings = _parts()
    draw = random.random()  # noqa: S311 -- jitter
    answer = note_delay(
        report, stores, datetime.now(UTC), settings=settings, draw=draw, read_last_words=read_last_words
    )
    logger.warning("A launch failed", extra=report.model_dump() | answer.model_dump())
    return answer.model_dump(mode="json")
