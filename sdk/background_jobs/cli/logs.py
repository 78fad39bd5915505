"""`background-jobs logs`: what the containers of an orchestration wrote, and where."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from background_jobs.cli.arguments import AsJsonLines, OrchestrationId
from background_jobs.cli.reporting import (
    on_terminal,
    out,
    print_json,
    print_line,
    print_note,
    print_row,
    reporting,
)
from background_jobs.cli.times import parse_time
from background_jobs.cli.untrusted import printable

if TYPE_CHECKING:
    from background_jobs.core.events import ContainerStarted
    from background_jobs.core.log_lines import LogLine

_TIME_FORMAT: Final = "%H:%M:%S"


def logs(  # noqa: PLR0913, PLR0917 -- the options of the command
    orchestration_id: OrchestrationId,
    index: Annotated[
        int | None,
        typer.Argument(min=0, metavar="N", help="The instance; without it, all.", show_default=False),
    ] = None,
    index_option: Annotated[int | None, typer.Option("--index", min=0, metavar="N", hidden=True)] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the end of the orchestration or instance.")
    ] = False,
    since: Annotated[
        datetime | None,
        typer.Option(parser=parse_time, metavar="TIME", help="Leave out what was written before."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Print the SDK's own lines, too.")] = False,
    places: Annotated[
        bool, typer.Option("--places", help="Print the containers, and where each log is, instead.")
    ] = False,
    url: Annotated[
        bool, typer.Option("--url", help="Print the address of CloudWatch with the query, instead.")
    ] = False,
    as_json: AsJsonLines = False,
) -> None:
    """Print what the containers of an orchestration wrote, by time, or what one instance wrote.

    A line has its time and the index of its instance before it.
    """
    with reporting():
        from background_jobs.orchestration_service import OrchestrationService

        orchestration = OrchestrationService().orchestration(orchestration_id)
        index = index_option if index is None else index
        if places:
            _print_launches(orchestration.launches(), as_json=as_json)
        elif url:
            _print_url(orchestration.cloudwatch_url(index))
        else:
            lines = orchestration.log_lines(index, follow=follow, since=since, everything=everything)
            _print_lines(lines, as_json=as_json)


def _print_lines(lines: "Iterator[LogLine]", *, as_json: bool) -> None:
    from background_jobs.core.errors import LogNotFound

    show = print_json if as_json else _print_on_terminal if on_terminal() else _print_row
    try:
        for line in lines:
            show(line)
    except LogNotFound as absent:
        raise LogNotFound(f"{absent}{_describe_folder()}") from absent


def _print_on_terminal(line: "LogLine") -> None:
    """Print the line after its local time and its instance, and further lines of its text below."""
    at = f"{line.at.astimezone():{_TIME_FORMAT}}" if line.at else " " * len("00:00:00")
    instance = "" if line.index is None else str(line.index)
    for text in _lines_of(line):
        print_line(typer.style(f"{at} {instance:>4} ", dim=True) + text)


def _print_row(line: "LogLine") -> None:
    """Print time, instance and text, with tabs between them; a row for each line of the text."""
    at = f"{line.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{line.at.microsecond // 1000:03}Z" if line.at else ""
    instance = "" if line.index is None else line.index
    for text in _lines_of(line):
        print_line(f"{at}\t{instance}\t{text}")


def _lines_of(line: "LogLine") -> list[str]:
    return printable(str(line).rstrip("\n"), lines=True).split("\n")


def _print_url(url: str) -> None:
    if url:
        print_line(url)
    else:
        print_note("The logs are files, or none has begun: there is nothing in CloudWatch Logs.")


def _print_launches(launches: "list[ContainerStarted]", *, as_json: bool) -> None:
    if as_json:
        for launch in launches:
            print_json(launch)
        return
    if not launches:
        print_note("No container has begun its share." + _describe_folder())
    elif on_terminal():
        _print_table(launches)
    else:
        for launch in launches:
            print_row(launch.share, f"{launch.first}-{launch.last}", launch.launch, launch.log)


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
        from background_jobs.local_stack.project_logs import find_log_folder
        from background_jobs.local_stack.projects import find_project
    except ImportError:  # the offline stack is an extra
        return ""
    folder = find_log_folder(find_project())
    return "" if folder is None else f" The logs of the offline stack's containers are in {folder}"
