"""`background-jobs list`: the orchestrations of the environment, newest first."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from background_jobs.cli.arguments import AsJson, known_job_names
from background_jobs.cli.reporting import on_terminal, out, print_json, print_note, reporting
from background_jobs.cli.times import format_duration, parse_time
from background_jobs.cli.untrusted import printable
from background_jobs.core.limits import LONGEST_PAGE
from background_jobs.core.statuses import OrchestrationStatus

if TYPE_CHECKING:
    from rich.table import Table

    from background_jobs.core.views.orchestration import OrchestrationView

_WITH_TAGS: Final = 100
"""From this width on, a terminal has room for the tags."""
_WITH_TABLE: Final = 76
"""A narrower terminal has no room for a table, because no id may be cut."""


def list_orchestrations(  # noqa: PLR0913, PLR0917 -- the options of a command
    job: Annotated[
        str | None,
        typer.Option(metavar="JOB_NAME", help="Of this job.", autocompletion=known_job_names),
    ] = None,
    status: Annotated[
        OrchestrationStatus | None,
        typer.Option(
            case_sensitive=False, metavar="STATUS", help="InProgress, Completed, Errored or Cancelled."
        ),
    ] = None,
    customer: Annotated[
        str | None, typer.Option(metavar="VALUE", help="With this value of the tag `customer`.")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            parser=parse_time, metavar="WHEN", help="Kicked off then or later: 2h, 7d, or ISO 8601."
        ),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(parser=parse_time, metavar="WHEN", help="Kicked off then or earlier."),
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
            job_name=job, status=status, customer=customer, since=since, until=until, limit=limit,
            next_token=next_token,
        )  # fmt: skip
    now = datetime.now().astimezone()
    if as_json:
        print_json(page)
        return
    if not page.orchestrations:
        print_note("There are none.")
    elif on_terminal() and out().width >= _WITH_TABLE:
        out().print(_draw_table(page.orchestrations, now, with_tags=out().width >= _WITH_TAGS))
    else:
        for view in page.orchestrations:
            typer.echo("\t".join(_list_fields(view)))
    if page.next_token:
        print_note("There are more; raise --limit, or narrow them down (--help says how).")


def _draw_table(views: "list[OrchestrationView]", now: datetime, *, with_tags: bool) -> "Table":
    from background_jobs.cli import drawing
    from background_jobs.core.views.pipeline import group_stages

    names = ["ID", "JOB", "STATUS", "TOTAL", "AGE", *(["TAGS"] if with_tags else [])]
    table = drawing.table(*names, flexible=("JOB", "TAGS"))
    for view, *earlier in group_stages(views):
        began = (earlier or [view])[-1].started_at
        age = format_duration((now - began).total_seconds(), units=1) if began else ""
        job, tags = (drawing.one_line(text) for text in (_name(view), drawing.tags(view)))
        row = (view.orchestration_id, job, drawing.pipeline_status(view), f"{view.total:,}", age, tags)
        table.add_row(*row[: len(table.columns)])
    return table


def _name(view: "OrchestrationView") -> str:
    stages = view.stage + view.stages_left
    return f"{view.job_name} (stage {view.stage} of {stages})" if stages > 1 else view.job_name


def _list_fields(view: "OrchestrationView") -> list[str]:
    """Return the fields of a line for programs: id, job, status, total, completed, errored, start, tags."""
    from background_jobs.cli import drawing

    started = view.started_at.isoformat(timespec="seconds") if view.started_at else ""
    counts = (view.total, view.counts.completed, view.counts.errored)
    return [
        view.orchestration_id, printable(view.job_name), view.status, *map(str, counts), started,
        printable(drawing.tags(view)),
    ]  # fmt: skip
