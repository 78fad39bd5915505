"""The arguments and options that several commands take."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from background_jobs.cli.times import span

if TYPE_CHECKING:
    from background_jobs.core.retry import Retry

OrchestrationId = Annotated[
    str, typer.Argument(metavar="ID", help="The id of the orchestration.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")]
AsJsonLines = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line, and nothing else.")]
Timeout = Annotated[
    timedelta | None,
    typer.Option(
        parser=span,
        metavar="SPAN",
        help="Wait no longer than that (90, 10m, 2h); exit with 124 if it is not done by then.",
    ),
]
Key = Annotated[
    str | None,
    typer.Option(metavar="KEY", help="The same key and params again are the same orchestration."),
]
MaxAttempts = Annotated[
    int | None,
    typer.Option(min=1, max=100, metavar="N", help="Attempts for each, instead of what the job says."),
]
EndAfter = Annotated[
    timedelta | None,
    typer.Option(
        "--timeout", parser=span, metavar="SPAN", help="End the orchestration after that time: 90, 10m, 2h."
    ),
]


def retry_of(max_attempts: int | None) -> "Retry | None":
    """Return the retry that `--max-attempts` asks for; None leaves it to the job."""
    from background_jobs.core.retry import Retry

    return None if max_attempts is None else Retry(max_attempts=max_attempts)


def tag(text: str) -> tuple[str, str]:
    """Read a tag. Raises BadParameter."""
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise typer.BadParameter(f"{text!r} is no tag; write NAME=VALUE.", param_hint="--tag")
    return name, value


def known_job_names() -> list[str]:
    """Complete a job name, where the settings say which there are; this calls nobody."""
    from background_jobs.core.errors import BackgroundJobsError
    from background_jobs.settings import Settings

    try:
        return list(Settings.from_env().job_names)
    except BackgroundJobsError:
        return []


JobName = Annotated[
    str, typer.Argument(metavar="JOB_NAME", help="The job to run.", autocompletion=known_job_names)
]
