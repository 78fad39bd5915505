"""`background-jobs`: the command line, one service call and one print for each command.

A command imports what it needs when it runs, so that help and completion come at once.
"""

import atexit
import gc
from typing import Annotated, Final

import typer

from background_jobs.cli import local, schedules
from background_jobs.cli.cancel import cancel
from background_jobs.cli.commands import WANTS_HELP, Commands
from background_jobs.cli.console import console
from background_jobs.cli.containers import containers
from background_jobs.cli.diff import diff
from background_jobs.cli.doctor import doctor
from background_jobs.cli.failures import failures
from background_jobs.cli.find import find
from background_jobs.cli.init import init
from background_jobs.cli.instance import instance
from background_jobs.cli.jobs import jobs
from background_jobs.cli.kick_off import kick_off
from background_jobs.cli.list_orchestrations import list_orchestrations
from background_jobs.cli.logs import logs
from background_jobs.cli.open_console import open_console
from background_jobs.cli.plan import plan
from background_jobs.cli.publish_jobs import publish_jobs
from background_jobs.cli.rebuild import rebuild
from background_jobs.cli.redrive import redrive
from background_jobs.cli.report import report
from background_jobs.cli.reporting import print_line
from background_jobs.cli.rerun import rerun
from background_jobs.cli.results import results
from background_jobs.cli.schema import schema
from background_jobs.cli.show import show
from background_jobs.cli.stack_of_project import use_stack_of_project
from background_jobs.cli.watch import watch

app = typer.Typer(
    name="background-jobs",
    cls=Commands,
    help="Background jobs on AWS, and offline.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("kick-off")(kick_off)
app.command()(jobs)
app.command("list")(list_orchestrations)
app.command()(find)
app.command("open")(open_console)
app.command()(console)
for command in (watch, show, instance, results, failures, logs, containers, diff, report, cancel, rerun):
    app.command()(command)
app.command("publish-jobs")(publish_jobs)
app.command()(init)
for command in (rebuild, redrive, doctor, plan, schema):
    app.command()(command)
app.add_typer(local.app, name="local")
app.add_typer(schedules.app, name="schedule")

# At its end Python looks for garbage in all that was imported, for a fifth of the time of a short command.
atexit.register(gc.freeze)

_WITHOUT_SETTINGS: Final = frozenset({"init", "local", "plan", "schema"})


def _print_version(value: bool) -> None:  # noqa: FBT001 -- typer's call
    if value:
        from importlib.metadata import version

        print_line(version("background-job-service"))
        raise typer.Exit


@app.callback()
def main(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Background jobs on AWS, and offline."""
    if context.invoked_subcommand not in _WITHOUT_SETTINGS and not context.meta[WANTS_HELP]:
        use_stack_of_project()
