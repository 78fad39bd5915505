"""`background-jobs results`: what the instances that completed returned."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from background_jobs.cli.arguments import AsJsonLines, OrchestrationId
from background_jobs.cli.reporting import on_terminal, out, reporting, say
from background_jobs.cli.times import told
from background_jobs.cli.untrusted import shown_json
from background_jobs.cli.watch import ERRORED
from background_jobs.core.statuses import Status

if TYPE_CHECKING:
    from background_jobs.core.fold import Summary
    from background_jobs.core.outcomes import Success
    from background_jobs.orchestration_service import Orchestration

_ROWS: Final = 100
"""What a terminal shows of them, unless it is asked for more."""
_TOOK: Final = 6
"""The width of that column."""
_BRIEF: Final = 10
"""Seconds; below, their tenths matter."""


def results(
    orchestration_id: OrchestrationId,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the end first; exit with 1 if an instance errored.")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="How many at most; by default 100 on a terminal, else all."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", dir_okay=False, writable=True, help="Write there what --json prints."),
    ] = None,
    as_json: AsJsonLines = False,
) -> None:
    """Print what the completed instances returned.

    They come in the order of the params, as far as they are there by now.
    """
    with reporting():
        from background_jobs.orchestration_service import OrchestrationService

        orchestration = OrchestrationService().orchestration(orchestration_id)
        summary = orchestration.wait() if wait else orchestration.summary()
        if as_json or output is not None:
            _write_json(_successes(orchestration, limit), output)
        elif on_terminal():
            _print_table(_successes(orchestration, limit or _ROWS), summary)
            _tell_of_others(summary, limit or _ROWS)
        else:
            for one in _successes(orchestration, limit):
                typer.echo(f"{one.index}\t{shown_json(one.params)}\t{shown_json(one.result)}")
    if wait and summary.errored:
        raise typer.Exit(ERRORED)


def _successes(orchestration: "Orchestration", limit: int | None) -> "Iterator[Success]":
    from background_jobs.core.outcomes import Success

    ended = orchestration.ended(Status.COMPLETED)
    return islice((one for one in ended if isinstance(one, Success)), limit)


def _write_json(successes: "Iterable[Success]", output: Path | None) -> None:
    from background_jobs.core.answers import SuccessView

    with nullcontext(sys.stdout) if output is None else output.open("w", encoding="utf-8") as file:
        for one in successes:
            file.write(f"{SuccessView.of(one).model_dump_json()}\n")


def _print_table(successes: "Iterable[Success]", summary: "Summary") -> None:
    """Print row by row, in columns whose widths do not depend on what is to come."""
    from background_jobs.cli import drawing

    index = max(len("INDEX"), len(str(summary.total)))
    room = (out().width - index - _TOOK - 6) // 2
    widths = (index, _TOOK, room, room)
    out().print(drawing.row(("INDEX", "TOOK", "PARAMS", "RESULT"), widths), style="dim")
    for one in successes:
        cells = (str(one.index), _took(one), shown_json(one.params), shown_json(one.result))
        out().print(drawing.row(cells, widths))


def _took(success: "Success") -> str:
    if success.started_at is None:
        return ""
    seconds = (success.ended_at - success.started_at).total_seconds()
    return f"{seconds:.1f}s" if seconds < _BRIEF else told(seconds)


def _tell_of_others(summary: "Summary", shown: int) -> None:
    if summary.completed > shown:
        say(f"{shown:,} of {summary.completed:,} are shown; --limit shows more, --output writes all.")
    if summary.errored:
        say(f"{summary.errored:,} errored: background-jobs failures {summary.orchestration_id}")
    if not summary.all_final:
        left = (summary.total or 0) - summary.completed - summary.errored
        say(f"{left:,} have no outcome yet.")
