"""The arguments and options that several commands take, beside those of a kick-off in `cli.options`."""

from datetime import timedelta
from typing import Annotated

import typer

from background_jobs.cli.times import parse_duration

OrchestrationId = Annotated[
    str, typer.Argument(metavar="ID", help="The id of the orchestration.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")]
AsJsonLines = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line, and nothing else.")]
Timeout = Annotated[
    timedelta | None,
    typer.Option(
        parser=parse_duration,
        metavar="SPAN",
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
    str, typer.Argument(metavar="JOB_NAME", help="The job to run.", autocompletion=known_job_names)
]
