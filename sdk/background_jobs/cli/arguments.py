"""The arguments and options that several commands take."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from background_jobs.cli.times import parse_duration

if TYPE_CHECKING:
    from background_jobs.core.retry import Retry
    from background_jobs.core.stages import Stage

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
        "--timeout",
        parser=parse_duration,
        metavar="SPAN",
        help="End the orchestration after that time: 90, 10m, 2h.",
    ),
]


def retry_option(max_attempts: int | None) -> "Retry | None":
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
Then = Annotated[
    list[str] | None,
    typer.Option(
        "--then",
        metavar="JOB_NAME",
        help="The job that follows, with the results as its params; may be repeated.",
        autocompletion=known_job_names,
    ),
]
OnFailure = Annotated[
    Literal["stop", "continue"] | None,
    typer.Option(help="Where an instance errors: start no further stage (as by default), or go on."),
]


def stages(job_names: Sequence[str] | None, on_failure: Literal["stop", "continue"] | None) -> "Stage | None":
    """Return the stages that `--then` and `--on-failure` ask for. Raises BadParameter."""
    from pydantic import ValidationError

    from background_jobs.core.stages import Stage

    if on_failure and not job_names:
        raise typer.BadParameter("Say what follows: name that with --then.", param_hint="--on-failure")
    stage: Stage | None = None
    for name in reversed(job_names or ()):
        try:
            stage = Stage(name, on_failure=on_failure or "stop", then=stage)
        except ValidationError:
            raise typer.BadParameter(f"{name!r} is no job name.", param_hint="--then") from None
    return stage
