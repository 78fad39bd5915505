"""`background-jobs logs`: what the container of an instance wrote."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Final

import typer

from background_jobs.cli.arguments import AsJsonLines, OrchestrationId
from background_jobs.cli.reporting import on_terminal, out, print_json_line, reporting, say
from background_jobs.cli.untrusted import shown

if TYPE_CHECKING:
    from background_jobs.aws.logs import LogLine
    from background_jobs.core.events import ContainerStarted
    from background_jobs.orchestration_service import Orchestration

_POLL_SECONDS: Final = 2.0


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
            _print_launches(orchestration.stores.event_log.read_launches(orchestration.id), as_json=as_json)
            return
        for line in _lines(orchestration, index, follow=follow):
            if as_json:
                print_json_line(line)
            else:
                typer.echo(shown(line.message, lines=True))


def _lines(orchestration: "Orchestration", index: int, *, follow: bool) -> "Iterator[LogLine]":
    """Yield what the containers of an instance wrote, launch by launch. Raises LogNotFound."""
    from background_jobs.cli.log_sources import LogSource, open_log
    from background_jobs.core.errors import LogNotFound

    event_log, sources = orchestration.stores.event_log, dict[str, LogSource]()
    while True:
        # Asked before reading, so that nothing which was written until then is missed.
        is_over = not follow or not event_log.find_unfinished(orchestration.id, index, index)
        for launch in event_log.read_launches(orchestration.id):
            if launch.first <= index <= launch.last and launch.log:
                source = sources.setdefault(launch.log, open_log(launch.log))
                yield from source.new_lines(to_the_end=is_over)
        if is_over:
            break
        time.sleep(_POLL_SECONDS)
    if not sources:
        raise LogNotFound(f"No container that tells where its log is has taken up instance {index}.")


def _print_launches(launches: "list[ContainerStarted]", *, as_json: bool) -> None:
    if as_json:
        for launch in launches:
            print_json_line(launch)
        return
    if not launches:
        say("No container has started.")
    elif on_terminal():
        _print_table(launches)
    else:
        for one in launches:
            typer.echo(f"{one.share}\t{one.first}-{one.last}\t{one.launch}\t{shown(one.log)}")


def _print_table(launches: "list[ContainerStarted]") -> None:
    """Print a row for each launch; where its log is comes last, and is never cut."""
    from background_jobs.cli import drawing

    header = ("SHARE", "INSTANCES", "LAUNCH")
    last = launches[-1]
    widths = (len("SHARE"), max(len("INSTANCES"), len(f"{last.first}-{last.last}")), len("LAUNCH"))
    out().print(drawing.row(header, widths).append("LOG"), style="dim")
    for one in launches:
        row = drawing.row((str(one.share), f"{one.first}-{one.last}", str(one.launch)), widths)
        out().print(row.append(shown(one.log)), soft_wrap=True)
