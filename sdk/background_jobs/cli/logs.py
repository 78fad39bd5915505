"""`background-jobs logs`: where the logs of containers are, and what they say."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from background_jobs.cli.arguments import AsJsonLines, OrchestrationId
from background_jobs.cli.reporting import on_terminal, out, print_json_line, print_note, reporting
from background_jobs.cli.untrusted import printable

if TYPE_CHECKING:
    from background_jobs.core.events import ContainerStarted


def logs(
    orchestration_id: OrchestrationId,
    index: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Print the log of the container that runs instance N."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the instance has its outcome.")
    ] = False,
    as_json: AsJsonLines = False,
) -> None:
    """Print where the logs are, or with --index what one says.

    A container writes one log for all the instances of its share.
    """
    if follow and index is None:
        raise typer.BadParameter("It needs --index: one log can be followed.", param_hint="--follow")
    with reporting():
        from background_jobs.orchestration_service import OrchestrationService

        orchestration = OrchestrationService().orchestration(orchestration_id)
        if index is None:
            _print_launches(orchestration.launches(), as_json=as_json)
            return
        for line in orchestration.log_lines(index, follow=follow):
            if as_json:
                print_json_line(line)
            else:
                typer.echo(printable(line.message, lines=True))


def _print_launches(launches: "list[ContainerStarted]", *, as_json: bool) -> None:
    if as_json:
        for launch in launches:
            print_json_line(launch)
        return
    if not launches:
        print_note("No container has begun its share." + _describe_folder())
    elif on_terminal():
        _print_table(launches)
    else:
        for launch in launches:
            instances = f"{launch.first}-{launch.last}"
            typer.echo(f"{launch.share}\t{instances}\t{launch.launch}\t{printable(launch.log)}")


def _print_table(launches: "list[ContainerStarted]") -> None:
    """Print a row for each launch; the place of its log comes last, and is never cut."""
    from background_jobs.cli import drawing

    header = ("SHARE", "INSTANCES", "LAUNCH")
    last = launches[-1]
    widths = (len("SHARE"), max(len("INSTANCES"), len(f"{last.first}-{last.last}")), len("LAUNCH"))
    out().print(drawing.row(header, widths).append("LOG"), style="dim")
    for launch in launches:
        cells = (str(launch.share), f"{launch.first}-{launch.last}", str(launch.launch))
        out().print(drawing.row(cells, widths).append(printable(launch.log)), soft_wrap=True)


def _describe_folder() -> str:
    """Return where the logs of containers are that ended before they began; nothing unless that is here."""
    try:
        from background_jobs.local_stack.running_stack import find_log_folder
    except ImportError:  # the offline stack is an extra
        return ""
    folder = find_log_folder(Path.cwd())
    return "" if folder is None else f" The logs of the offline stack's containers are in {folder}"
