"""`background-jobs find`: instances of a job by their params, through its history."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from background_jobs.cli.arguments import AsJsonLines, known_job_names
from background_jobs.cli.params_changes import read_patch
from background_jobs.cli.reporting import on_terminal, out, print_json, print_note, print_row, reporting
from background_jobs.cli.times import parse_time
from background_jobs.cli.untrusted import printable, printable_json
from background_jobs.core.limits import LONGEST_PAGE

if TYPE_CHECKING:
    from rich.table import Table

    from background_jobs.core.views.found_instances import FoundInstance


def find(  # noqa: PLR0913, PLR0917 -- the options of a command
    job: Annotated[
        str, typer.Argument(metavar="JOB", help="The name of the job.", autocompletion=known_job_names)
    ],
    param: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=VALUE",
            help="With this value, JSON or text, a.b=1 for one inside; may be repeated, for all of them.",
        ),
    ],
    since: Annotated[
        datetime | None,
        typer.Option(
            parser=parse_time,
            metavar="TIME",
            help="Kicked off then or later: 2h or 7d before now, or a time.",
        ),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(parser=parse_time, metavar="TIME", help="Kicked off then or earlier."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=LONGEST_PAGE, metavar="N", help="How many at most.")] = 20,
    as_json: AsJsonLines = False,
) -> None:
    """Find instances of a job by their params, in all its orchestrations, newest first."""
    with reporting():
        from background_jobs.orchestration_service import OrchestrationService

        wanted = read_patch(param, "--param") or {}
        service = OrchestrationService()
        found = service.find_instances(job, wanted, since=since, until=until, limit=limit)
    if as_json:
        for one in found:
            print_json(one)
    elif found and on_terminal():
        out().print(_draw_table(found, out().width))
    else:
        for one in found:
            _print_row(one)
    if not found:
        print_note("There is none. A text that reads as JSON, such as 17, takes quotes: --param 'n=\"17\"'.")
    elif len(found) == limit:
        print_note("There may be more; raise --limit, or narrow them down with --since and --until.")


def _draw_table(found: "list[FoundInstance]", width: int) -> "Table":
    from background_jobs.cli import drawing

    short = drawing.short_ids([one.orchestration_id for one in found])
    rows = [
        (
            f"{one.started_at.astimezone():%Y-%m-%d %H:%M}",
            short[one.orchestration_id],
            str(one.instance.index),
            one.instance.status,
            printable_json(one.params),
            _explain(one),
        )
        for one in found
    ]
    return drawing.fitting_table(
        ("KICKED OFF", "ID", "#", "STATUS", "PARAMS", "ERROR"),
        rows,
        width,
        flexible={"PARAMS": 16, "ERROR": 16},
        droppable=("PARAMS",),
    )


def _explain(one: "FoundInstance") -> str:
    return printable(f"{one.error.type}: {one.error.message}") if one.error else ""


def _print_row(one: "FoundInstance") -> None:
    """Print a line for programs: when it was kicked off, orchestration, index, status, params, error."""
    where = (one.started_at, one.orchestration_id, one.instance.index, one.instance.status)
    print_row(*where, printable_json(one.params), _explain(one))
