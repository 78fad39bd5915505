"""`background-jobs results`: the results of the instances that completed."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple, Self

import typer

from background_jobs.cli.arguments import AsJsonLines, OrchestrationId
from background_jobs.cli.reporting import on_terminal, out, print_note, reporting
from background_jobs.cli.times import format_duration
from background_jobs.cli.untrusted import printable_json, safe_json
from background_jobs.cli.watch import ERRORED
from background_jobs.core.statuses import Status

if TYPE_CHECKING:
    from background_jobs.core.outcomes import Success
    from background_jobs.orchestration_service import JobResults, Orchestration

_ROWS: Final = 100
"""How many results a terminal shows by default."""
_TOOK: Final = 6
"""The width of the column TOOK."""
_BRIEF: Final = 10
"""Seconds; a shorter time is printed with tenths."""


class _Results(NamedTuple):
    """Successes in the order of the params, and the counts of all instances."""

    successes: "Iterable[Success]"
    completed: int
    errored: int
    left: int
    failed_in: str
    """The orchestration whose failures are to be read."""

    @classmethod
    def of(cls, orchestration: "Orchestration", *, wait: bool) -> Self:
        """Return the results of one orchestration, those by now or those at its end."""
        summary = orchestration.wait() if wait else orchestration.summary()
        left = (summary.total or 0) - summary.completed - summary.errored
        return cls(_read_successes(orchestration), summary.completed, summary.errored, left, orchestration.id)

    @classmethod
    def from_job_results(cls, results: "JobResults", orchestration_id: str) -> Self:
        """Return the merged results of an orchestration and its reruns."""
        successes, failures = results
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
            answer = _Results.from_job_results(
                service.get_job_results(orchestration_id, merged=True), orchestration_id
            )
        else:
            answer = _Results.of(service.orchestration(orchestration_id), wait=wait)
        if as_json or output is not None:
            _write_json(islice(answer.successes, limit), output)
        elif on_terminal():
            _print_table(answer, limit or _ROWS)
            _print_counts(answer, limit or _ROWS)
        else:
            for success in islice(answer.successes, limit):
                cells = (str(success.index), printable_json(success.params), printable_json(success.result))
                typer.echo("\t".join(cells))
    if (wait or merged) and answer.errored:
        raise typer.Exit(ERRORED)


def _read_successes(orchestration: "Orchestration") -> "Iterator[Success]":
    from background_jobs.core.outcomes import Success

    outcomes = orchestration.outcomes(Status.COMPLETED)
    return (outcome for outcome in outcomes if isinstance(outcome, Success))


def _write_json(successes: "Iterable[Success]", output: Path | None) -> None:
    from background_jobs.core.views.outcomes import SuccessView

    with nullcontext(sys.stdout) if output is None else output.open("w", encoding="utf-8") as file:
        for success in successes:
            file.write(f"{safe_json(SuccessView.of(success).model_dump_json())}\n")


def _print_table(results: _Results, limit: int) -> None:
    """Print row by row, in columns whose widths do not depend on later rows."""
    from background_jobs.cli import drawing

    index = max(len("INDEX"), len(str(results.completed + results.errored + results.left)))
    room = (out().width - index - _TOOK - 6) // 2
    widths = (index, _TOOK, room, room)
    out().print(drawing.row(("INDEX", "TOOK", "PARAMS", "RESULT"), widths), style="dim")
    for success in islice(results.successes, limit):
        texts = (printable_json(success.params), printable_json(success.result))
        out().print(drawing.row((str(success.index), _format_taken_time(success), *texts), widths))


def _format_taken_time(success: "Success") -> str:
    if success.started_at is None:
        return ""
    seconds = (success.ended_at - success.started_at).total_seconds()
    return f"{seconds:.1f}s" if seconds < _BRIEF else format_duration(seconds)


def _print_counts(results: _Results, limit: int) -> None:
    if results.completed > limit:
        print_note(f"{limit:,} of {results.completed:,} are shown; --limit shows more, --output writes all.")
    if results.errored:
        print_note(f"{results.errored:,} errored: background-jobs failures {results.failed_in}")
    if results.left:
        print_note(f"{results.left:,} have no outcome yet.")
