"""The arguments and options that several commands take, beside those of a kick-off in `cli.options`."""

from datetime import timedelta
from typing import Annotated, Final

import typer

from background_jobs.cli.times import parse_duration
from background_jobs.core.ids import SHORTEST_PREFIX, is_orchestration_id


def parse_id(text: str) -> str:
    """Return the id that *text* stands for: an id, four or more characters with which one begins, or `-`."""
    if is_orchestration_id(text):
        return text
    if text != LAST and len(text) < SHORTEST_PREFIX:
        raise typer.BadParameter(f"{text!r} is too short for an id: {SHORTEST_PREFIX} characters or more.")
    from background_jobs.cli.last_kick_off import find_last_kick_off
    from background_jobs.orchestration_service import OrchestrationService

    service = OrchestrationService()
    return find_last_kick_off(service) if text == LAST else service.find_id(text)


LAST: Final = "-"
"""Stands for the orchestration that was kicked off last."""
OrchestrationId = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="The id of the orchestration, or how it begins; - is the last one.",
        show_default=False,
        parser=parse_id,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")]
AsJsonLines = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line, and nothing else.")]
Timeout = Annotated[
    timedelta | None,
    typer.Option(
        parser=parse_duration,
        metavar="DURATION",
        help="Wait no longer than that (90, 10m, 2h); exit with 124 if it is not done by then.",
    ),
]


def known_job_names() -> list[str]:
    """Complete a job name from the settings, if they have the names; this calls no service."""
    from background_jobs.core.errors import BackgroundJobsError
    from background_jobs.settings import Settings

    try:
        return list(Settings.from_env().job_names)
    except BackgroundJobsError:
        return []


JobName = Annotated[
    str, typer.Argument(metavar="JOB", help="The job to run.", autocompletion=known_job_names)
]
