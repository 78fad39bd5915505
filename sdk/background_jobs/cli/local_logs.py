"""`background-jobs local logs`: what the offline stack of this project wrote, all of it."""

from typing import TYPE_CHECKING, Annotated

import typer

from background_jobs.cli.exit_status import ExitStatus
from background_jobs.cli.reporting import on_terminal, print_json, print_line, print_note, reporting
from background_jobs.cli.times import format_utc
from background_jobs.cli.untrusted import printable

if TYPE_CHECKING:
    from background_jobs.local_stack.stack_logs import StackLine


def logs(
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is being written, until the stack ends.")
    ] = False,
    service: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What the containers and the main of this service wrote, alone."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, one object a line, and nothing else.")
    ] = False,
) -> None:
    """Print what the stack of this project wrote, by time: itself, its functions and its containers.

    Exits with 4 if there is none.
    """
    with reporting():
        from background_jobs.local_stack.project_logs import find_logs
        from background_jobs.local_stack.projects import find_project
        from background_jobs.local_stack.running_stack import describe_absence

        project = find_project()
        found = find_logs(project, service)
        if found is None:
            print_note(describe_absence(project))
            raise typer.Exit(ExitStatus.FOUND)
        show = print_json if as_json else _print_line
        for line in found.follow() if follow else found.read():
            show(line)


def _print_line(line: "StackLine") -> None:
    """Print time, what wrote it and its text: in columns on a terminal, elsewhere with tabs between them."""
    origin = " ".join(filter(None, (line.service or line.part, line.name, _describe_index(line.index))))
    for text in printable(line.message.rstrip("\n"), lines=True).split("\n"):
        if on_terminal():
            at = f"{line.at.astimezone():%H:%M:%S}"
            print_line(typer.style(f"{at} {printable(origin):<24} ", dim=True) + text)
        else:
            print_line(f"{format_utc(line.at)}\t{printable(origin)}\t{text}")


def _describe_index(index: int | None) -> str:
    return "" if index is None else f"[{index}]"
