"""`background-jobs failures`: why instances errored, grouped by cause, or each with its details."""

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from background_jobs.cli.arguments import AsJsonLines, OrchestrationId
from background_jobs.cli.reporting import on_terminal, out, print_json, print_note, print_row, reporting
from background_jobs.cli.untrusted import printable, printable_json
from background_jobs.core.statuses import Status

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.text import Text

    from background_jobs.core.outcomes import Failure
    from background_jobs.core.views.causes import Cause
    from background_jobs.orchestration_service import Orchestration


def failures(
    orchestration_id: OrchestrationId,
    full: Annotated[
        bool, typer.Option("--full", help="Print each of them as well, with its params and traceback.")
    ] = False,
    as_json: AsJsonLines = False,
) -> None:
    """Print why instances errored, grouped by cause.

    The most frequent cause comes first.
    """
    with reporting():
        from background_jobs.core.views.outcomes import FailureView
        from background_jobs.orchestration_service import OrchestrationService

        orchestration = OrchestrationService().orchestration(orchestration_id)
        if as_json:
            _print_json(
                map(FailureView.of, _read_failures(orchestration)) if full else orchestration.digest().causes
            )
            return
        if not on_terminal():
            _print_rows(orchestration, full=full)
            return
        digest = orchestration.digest()
        for cause in digest.causes:
            out().print(_draw_cause(cause, digest.total), soft_wrap=True)
        for failure in _read_failures(orchestration) if full else ():
            out().print("", _draw_failure(failure), sep="\n", soft_wrap=True)
    if digest.more_causes:
        print_note(f"There are {digest.more_causes:,} more causes, rarer than these.")
    if not digest.causes:
        print_note("No instance has errored.")
    elif not full:
        print_note(f"In full: background-jobs failures --full {orchestration_id}")


def _print_json(models: "Iterable[BaseModel]") -> None:
    for model in models:
        print_json(model)


def _print_rows(orchestration: "Orchestration", *, full: bool) -> None:
    """Print a line for programs for each cause, or with *full* for each failure."""
    for failure in _read_failures(orchestration) if full else ():
        error, params = failure.error, json.dumps(failure.params, ensure_ascii=False)
        print_row(failure.index, error.type, error.message, params, failure.attempts, failure.log)
    for cause in () if full else orchestration.digest().causes:
        common = " ".join(map(str, cause.common))
        print_row(
            cause.count, cause.type, cause.message, cause.place, ",".join(map(str, cause.indices)), common
        )


def _read_failures(orchestration: "Orchestration") -> "Iterator[Failure]":
    from background_jobs.core.outcomes import Failure

    outcomes = orchestration.outcomes(Status.ERRORED)
    return (outcome for outcome in outcomes if isinstance(outcome, Failure))


def _draw_cause(cause: "Cause", total: int) -> "Text":
    from rich.text import Text

    indices = ", ".join(map(str, cause.indices))
    rest = cause.count + cause.retrying - len(cause.indices)
    others = f" and {rest:,} more" if rest > 0 else ""
    retrying = f"{cause.retrying:,} retrying" if cause.retrying else ""
    lines = [
        Text.assemble(f"{cause.count:,}x ", (printable(cause.type), "red"), f": {printable(cause.message)}"),
        *([Text(f"    {retrying}", "yellow")] if retrying else []),
        *([Text(f"    at {printable(cause.place)}", "dim")] if cause.place else []),
        Text(f"    index {indices}{others}", "dim"),
        *(
            Text(
                f"    always has {printable(str(param))} (as have {param.instances:,} of {total:,} instances)"
            )
            for param in cause.common
        ),
    ]
    return Text("\n").join(lines)


def _draw_failure(failure: "Failure") -> "Text":
    from rich.text import Text

    error = failure.error
    facts = {
        "params": printable_json(failure.params),
        "attempts": str(failure.attempts),
        **{
            f"attempt {attempt.attempt}": printable(f"{attempt.type}: {attempt.message}")
            for attempt in failure.failed_attempts
        },
        "log": printable(failure.log),
    }
    lines = [
        Text.assemble((f"#{failure.index} {printable(error.type)}", "red"), f": {printable(error.message)}"),
        *(Text.assemble((f"    {name:<10}", "dim"), fact) for name, fact in facts.items() if fact),
        *(Text(f"    {line}") for line in printable(error.traceback, lines=True).splitlines()),
    ]
    return Text("\n").join(lines)
