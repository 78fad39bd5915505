"""`background-jobs list`: the orchestrations of the environment, newest first."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from background_jobs.cli.arguments import AsJson, known_job_names
from background_jobs.cli.options import read_tags
from background_jobs.cli.reporting import on_terminal, out, print_json, print_note, print_row, reporting
from background_jobs.cli.times import format_duration, parse_time
from background_jobs.core.limits import LONGEST_PAGE
from background_jobs.core.statuses import OrchestrationStatus

if TYPE_CHECKING:
    from rich.table import Table

    from background_jobs.core.views.orchestration import OrchestrationView


def list_orchestrations(  # noqa: PLR0913, PLR0917 -- the options of a command
    job: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of this job.", autocompletion=known_job_names),
    ] = None,
    status: Annotated[
        OrchestrationStatus | None,
        typer.Option(
            case_sensitive=False, metavar="STATUS", help="InProgress, Completed, Errored or Cancelled."
        ),
    ] = None,
    customer: Annotated[
        str | None, typer.Option(metavar="NAME", help="With this value of the tag `customer`.")
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="With this tag; may be repeated, for all of them."),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            parser=parse_time,
            metavar="TIME",
            help="Kicked off then or later: 2h or 7d before now, 12:30 today, or ISO 8601; in the zone of "
            "this machine where none is named.",
        ),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(parser=parse_time, metavar="TIME", help="Kicked off then or earlier."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=LONGEST_PAGE, metavar="N", help="How many at most.")] = 20,
    next_token: Annotated[
        str | None,
        typer.Option(metavar="TOKEN", help="Go on after a page before, whose JSON has this token."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List orchestrations, newest first."""
    with reporting():
        from background_jobs.orchestration_service import OrchestrationService

        page = OrchestrationService().history_view(
            job_name=job, status=status, customer=customer, tags=read_tags(tag), since=since, until=until,
            limit=limit, next_token=next_token,
        )  # fmt: skip
    now = datetime.now().astimezone()
    if as_json:
        print_json(page)
        return
    if not page.items:
        print_note("There are no orchestrations like that.")
    elif on_terminal():
        out().print(_draw_table(page.items, now, out().width))
    else:
        for view in page.items:
            _print_row(view)
    if page.next_token:
        print_note("There are more; raise --limit, or narrow them down (--help says how).")


def _draw_table(views: "list[OrchestrationView]", now: datetime, width: int) -> "Table":
    from background_jobs.cli import drawing
    from background_jobs.core.views.pipeline import group_stages

    short = drawing.short_ids([view.orchestration_id for view in views])
    rows = [
        (
            short[view.orchestration_id],
            _name(view),
            drawing.pipeline_status(view),
            f"{view.total:,}",
            _format_age((earlier or [view])[-1].started_at, now),
            drawing.tags(view),
        )
        for view, *earlier in group_stages(views)
    ]
    return drawing.fitting_table(
        ("ID", "JOB", "STATUS", "TOTAL", "AGE", "TAGS"),
        rows,
        width,
        flexible={"JOB": 8, "TAGS": 24},
        droppable=("TAGS", "TOTAL", "AGE"),
    )


def _format_age(began: datetime | None, now: datetime) -> str:
    return format_duration((now - began).total_seconds(), units=1) if began else ""


def _name(view: "OrchestrationView") -> str:
    stages = view.stage + view.stages_left
    return f"{view.job_name} (stage {view.stage} of {stages})" if stages > 1 else view.job_name


def _print_row(view: "OrchestrationView") -> None:
    """Print a line for programs: id, job, status, total, completed, errored, start, tags."""
    from background_jobs.cli import drawing

    counts = (view.total, view.counts.completed, view.counts.errored)
    print_row(view.orchestration_id, view.job_name, view.status, *counts, view.started_at, drawing.tags(view))
