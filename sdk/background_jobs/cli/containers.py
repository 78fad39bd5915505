"""`background-jobs containers`: each launch of a container, how long it ran, and why it was lost."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from background_jobs.cli.arguments import AsJson, OrchestrationId
from background_jobs.cli.reporting import on_terminal, out, print_json, print_note, print_row, reporting
from background_jobs.cli.untrusted import printable
from background_jobs.core.limits import LONGEST_PAGE, PAGE

if TYPE_CHECKING:
    from rich.text import Text

    from background_jobs.core.views.containers import ContainerPage, ContainerView

_STYLES: Final = {"running": "cyan", "ended": "green", "failed": "red", "lost": "red"}
_GAUGE: Final = 24


def containers(
    orchestration_id: OrchestrationId,
    state: Annotated[
        str | None, typer.Option(metavar="STATUS", help="Only those running, ended, failed or lost.")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=LONGEST_PAGE, metavar="N", help="How many at most.")
    ] = PAGE,
    next_token: Annotated[
        str | None, typer.Option(metavar="TOKEN", help="Go on where the page before ended.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print when each container ran, and how it ended."""
    with reporting():
        from background_jobs.core.views.containers import ContainerState
        from background_jobs.orchestration_service import OrchestrationService

        if state is not None and state not in tuple(ContainerState):
            raise typer.BadParameter(
                f"{state!r} is no state of a container; use one of {', '.join(ContainerState)}.",
                param_hint="--state",
            )
        orchestration = OrchestrationService().orchestration(orchestration_id)
        chosen = ContainerState(state) if state else None
        page = orchestration.containers(chosen, limit=limit, next_token=next_token)
    if as_json:
        print_json(page)
        return
    if on_terminal():
        _print_table(page)
    else:
        for view in page.items:
            _print_row(view, page.until)
    if page.early_loss:
        print_note(f"Lost before it began its share: {printable(page.early_loss)}.")
    if page.next_token:
        print_note(f"There are more: --next-token {page.next_token}")


def _print_row(view: "ContainerView", until: datetime) -> None:
    """Print a line for programs: share, launch, instances, state, start, end, seconds, MiB, why."""
    instances, seconds = f"{view.first}-{view.last}", f"{view.seconds(until):.1f}"
    times = (view.started_at, view.ended_at)
    why = view.reason or view.delay
    print_row(view.share, view.launch, instances, view.state, *times, seconds, view.memory_mib, why)


def _print_table(page: "ContainerPage") -> None:
    from rich.text import Text

    from background_jobs.cli import drawing
    from background_jobs.cli.times import format_duration

    counts = [Text(f"{count:,} {state}", _STYLES[state]) for state, count in page.counts.items() if count]
    out().print(Text(", ").join(counts) if counts else Text("No container has begun its share."))
    time = f"{drawing.format_time(page.began_at)} + {format_duration(_seconds(page))}"
    rows = [
        (
            str(view.share),
            str(view.launch),
            Text(view.state, _STYLES[view.state]),
            format_duration(view.seconds(page.until)),
            _draw_bar(view, page),
            view.reason or view.delay,
        )
        for view in page.items
    ]
    names = ("SHARE", "LAUNCH", "STATE", "RAN", time, "WHY")
    if rows:
        out().print(
            drawing.fitting_table(
                names, rows, out().width, flexible={time: _GAUGE, "WHY": 12}, droppable=(time, "LAUNCH")
            )
        )


def _draw_bar(view: "ContainerView", page: "ContainerPage") -> "Text":
    """Return when a launch ran, on an axis from the kick-off to the end of the last."""
    from rich.text import Text

    def place(at: datetime) -> int:
        return max(0, min(_GAUGE, round(_GAUGE * (at - page.began_at).total_seconds() / _seconds(page))))

    first = min(_GAUGE - 1, place(view.started_at))
    last = max(first + 1, place(view.ended_at or page.until))
    line, rest = "#-" if out().options.ascii_only else "━╌"
    return Text.assemble(
        (rest * first, "dim"),
        (line * (last - first), _STYLES[view.state]),
        (rest * (_GAUGE - last), "dim"),
        no_wrap=True,
    )


def _seconds(page: "ContainerPage") -> float:
    return max(1.0, (page.until - page.began_at).total_seconds())
