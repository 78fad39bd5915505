"""`background-jobs`: the command line, one service call and one print for each command."""

from importlib.metadata import version
from typing import Annotated

import typer

from background_jobs.cli import local, schedules
from background_jobs.cli.plan import plan
from background_jobs.cli.rebuild import rebuild
from background_jobs.cli.schema import schema

app = typer.Typer(
    name="background-jobs",
    help="Background jobs on AWS, and offline.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(local.app, name="local")
app.add_typer(schedules.app, name="schedule")
app.command()(rebuild)
app.command()(schema)
app.command()(plan)


def _print_version(value: bool) -> None:  # noqa: FBT001 -- typer's call
    if value:
        typer.echo(version("background-job-service"))
        raise typer.Exit


@app.callback()
def main(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Background jobs on AWS, and offline."""
