"""`background-jobs results`: what the instances that completed returned."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple, Self

import typer

from background_jobs.cli.arguments import AsJsonLines, OrchestrationId
from background_jobs.cli.reporting import on_terminal, out, reporting, say
from background_jobs.cli.times import told
from background_jobs.cli.untrusted import printable_json
from background_jobs.cli.watch import ERRORED
from background_jobs.core.statuses import Status

if TYPE_CHECKING:
    from background_jobs.core.outcomes import Success
    from background_jobs.orchestration_service import JobResults, Orchestration

_ROWS: Final = 100
"""What a terminal shows of them, unless it is asked for more."""
_TOOK: Final = 6
"""The width of that column."""
_BRIEF: Final = 10
"""Seconds; below, their tenths matter."""


class _Found(NamedTuple):
    """Successes in the order of the params, and how many there are of what else."""

    successes: "Iterable[Success]"
    completed: int
    errored: int
    left: int
    failed_in: str
    """The orchestration whose failures say why."""

    @classmethod
    def of(cls, orchestration: "Orchestration", *, wait: bool) -> Self:
        """Return what one orchestration has by now, or at its end."""
        summary = orchestration.wait() if wait else orchestration.summary()
        left = (summary.total or 0) - summary.completed - summary.errored
        return cls(_successes(orchestration), summary.completed, summary.errored, left, orchestration.id)

    @classmethod
    def merged(cls, found: "JobResults", orchestration_id: str) -> Self:
        """Return what an orchestration and its reruns came to."""
        successes, failures = found
        if failures is None:
            return cls(successes, len(successes), 0, 0, orchestration_id)
        return cls(successes, len(successes), len(failures), 0, failures[-1].orchestration_id)


def results(  # noqa: PLR0913, PLR0917 -- the options of a command
    orchestration_id: OrchestrationId,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the end first; exit with 1 if an instance errored.")
    ] = False,
    merged: Annotated[
        bool,
        typer.Option("--merged", help="One answer over it and all its reruns, which are waited for."),
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

        service = OrchestrationService()
        if merged:
            found = _Found.merged(service.get_job_results(orchestration_id, merged=True), orchestration_id)
        else:
            found = _Found.of(service.orchestration(orchestration_id), wait=wait)
        if as_json or output is not None:
            _write_json(islice(found.successes, limit), output)
        elif on_terminal():
            _print_table(found, limit or _ROWS)
            _tell_of_others(found, limit or _ROWS)
        else:
            for one in islice(found.successes, limit):
                typer.echo(f"{one.index}\t{printable_json(one.params)}\t{printable_json(one.result)}")
    if (wait or merged) and found.errored:
        raise typer.Exit(ERRORED)


def _successes(orchestration: "Orchestration") -> "Iterator[Success]":
    from background_jobs.core.outcomes import Success

    return (one for one in orchestration.ended(Status.COMPLETED) if isinstance(one, Success))


def _write_json(successes: "Iterable[Success]", output: Path | None) -> None:
    from background_jobs.core.views.answers import SuccessView

    with nullcontext(sys.stdout) if output is None else output.open("w", encoding="utf-8") as file:
        for one in successes:
            file.write(f"{SuccessView.of(one).model_dump_json()}\n")


def _print_table(found: _Found, limit: int) -> None:
    """Print row by row, in columns whose widths do not depend on what is to come."""
    from background_jobs.cli import drawing

    index = max(len("INDEX"), len(str(found.completed + found.errored + found.left)))
    room = (out().width - index - _TOOK - 6) // 2
    widths = (index, _TOOK, room, room)
    out().print(drawing.row(("INDEX", "TOOK", "PARAMS", "RESULT"), widths), style="dim")
    for one in islice(found.successes, limit):
        cells = (str(one.index), _took(one), printable_json(one.params), printable_json(one.result))
        out().print(drawing.row(cells, widths))


def _took(success: "Success") -> str:
    if success.started_at is None:
        return ""
    seconds = (success.ended_at - success.started_at).total_seconds()
    return f"{seconds:.1f}s" if seconds < _BRIEF else told(seconds)


def _tell_of_others(found: _Found, limit: int) -> None:
    if found.completed > limit:
        say(f"{limit:,} of {found.completed:,} are shown; --limit shows more, --output writes all.")
    if found.errored:
        say(f"{found.errored:,} errored: background-jobs failures {found.failed_in}")
    if found.left:
        say(f"{found.left:,} have no outcome yet.")
