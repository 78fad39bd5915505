"""`background-jobs results`: the results of the instances that completed."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple, Self

import typer

from background_jobs.cli.arguments import AsJsonLines, OrchestrationId
from background_jobs.cli.exit_status import ExitStatus
from background_jobs.cli.reporting import (
    on_terminal,
    out,
    print_error,
    print_json_text,
    print_note,
    print_row,
    reporting,
)
from background_jobs.cli.times import format_duration
from background_jobs.cli.untrusted import printable_json, safe_json
from background_jobs.core.statuses import Status

if TYPE_CHECKING:
    from background_jobs.core.outcomes import Success
    from background_jobs.orchestration_service import JobResults, Orchestration

_ROWS: Final = 100
"""How many results a terminal shows by default."""
_TOOK: Final = 6
"""The width of the column TOOK."""
_WITH_TOOK: Final = 60
"""A narrower terminal has no room for that column."""
_NAMED: Final = 20
"""How many instances are named whose results are gone."""
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
    gone: list[int]
    """The instances whose results have expired; it grows while *successes* are read."""

    @classmethod
    def of(cls, orchestration: "Orchestration", *, wait: bool) -> Self:
        """Return the results of one orchestration, those by now or those at its end."""
        summary = orchestration.wait() if wait else orchestration.summary()
        left = (summary.total or 0) - summary.completed - summary.errored
        gone: list[int] = []
        successes = _read_successes(orchestration, gone)
        return cls(successes, summary.completed, summary.errored, left, orchestration.id, gone)

    @classmethod
    def from_job_results(cls, results: "JobResults", orchestration_id: str) -> Self:
        """Return the merged results of an orchestration and its reruns."""
        successes, failures = results
        if failures is None:
            return cls(successes, len(successes), 0, 0, orchestration_id, [])
        return cls(successes, len(successes), len(failures), 0, failures[-1].orchestration_id, [])


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
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            dir_okay=False,
            help="Write there what --json prints, when it is all there.",
        ),
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
                print_row(success.index, *map(_to_json, (success.params, success.result_json)))
    if answer.gone:
        print_error(_describe_gone(answer.gone))
        raise typer.Exit(ExitStatus.FAILED)
    if (wait or merged) and answer.errored:
        if not as_json and (output is not None or not on_terminal()):
            _print_errored(answer)
        raise typer.Exit(ExitStatus.ERRORED)


def _to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _read_successes(orchestration: "Orchestration", gone: list[int]) -> "Iterator[Success]":
    from background_jobs.core.outcomes import Success

    outcomes = orchestration.outcomes(Status.COMPLETED, on_gone=gone.append)
    return (outcome for outcome in outcomes if isinstance(outcome, Success))


def _write_json(successes: "Iterable[Success]", output: Path | None) -> None:
    from background_jobs.core.views.outcomes import SuccessView

    documents = (SuccessView.of(success).model_dump_json() for success in successes)
    if output is None:
        for document in documents:
            print_json_text(document)
        return
    from background_jobs.orchestration_service.replaced_file import replacing

    with replacing(output) as file:
        file.writelines(f"{safe_json(document)}\n" for document in documents)


def _describe_gone(indices: list[int]) -> str:
    named = ", ".join(map(str, sorted(indices)[:_NAMED]))
    more = f" and {len(indices) - _NAMED:,} more" if len(indices) > _NAMED else ""
    instances = "instance" if len(indices) == 1 else "instances"
    return (
        f"The results of {instances} {named}{more} are not in the bucket any more; their retention may have "
        "passed. All the others are there."
    )


def _print_table(results: _Results, limit: int) -> None:
    """Print row by row, in columns whose widths do not depend on later rows."""
    from background_jobs.cli import drawing

    index = max(len("INDEX"), len(str(results.completed + results.errored + results.left)))
    took = _TOOK if out().width >= _WITH_TOOK else 0
    room = (out().width - index - took - 6) // 2
    widths = (index, *([took] if took else []), room, room)

    def print_cells(number: str, taken: str, params: str, result: str, style: str = "") -> None:
        cells = (number, *([taken] if took else []), params, result)
        out().print(drawing.row(cells, widths), style=style)

    print_cells("INDEX", "TOOK", "PARAMS", "RESULT", "dim")
    for success in islice(results.successes, limit):
        texts = (printable_json(success.params), printable_json(success.result_json))
        print_cells(str(success.index), _format_taken_time(success), *texts)


def _format_taken_time(success: "Success") -> str:
    if success.started_at is None:
        return ""
    seconds = (success.ended_at - success.started_at).total_seconds()
    return f"{seconds:.1f}s" if seconds < _BRIEF else format_duration(seconds)


def _print_counts(results: _Results, limit: int) -> None:
    if results.completed > limit:
        print_note(f"{limit:,} of {results.completed:,} are shown; --limit shows more, --output writes all.")
    if results.errored:
        _print_errored(results)
    if results.left:
        print_note(f"{results.left:,} have no outcome yet.")


def _print_errored(results: _Results) -> None:
    print_note(f"{results.errored:,} errored: background-jobs failures {results.failed_in}")
