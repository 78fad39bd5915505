"""`background-jobs failures`: why instances errored, grouped by cause, or each with its details."""

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from background_jobs.cli.arguments import AsJsonLines, OrchestrationId
from background_jobs.cli.reporting import on_terminal, out, print_json, print_note, print_row, reporting
from background_jobs.cli.untrusted import printable, printable_json
from background_jobs.core.limits import LONGEST_PAGE, PAGE

if TYPE_CHECKING:
    from rich.text import Text

    from background_jobs.core.views.causes import Cause, CausePage
    from background_jobs.core.views.outcomes import FailureView
    from background_jobs.orchestration_service import Orchestration


def failures(  # noqa: PLR0913, PLR0917 -- the options of a command
    orchestration_id: OrchestrationId,
    cause: Annotated[
        str | None,
        typer.Option(metavar="CAUSE", help="Of this cause alone, by its id: each with params and traceback."),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=LONGEST_PAGE, metavar="N", help="How many causes at most.")
    ] = PAGE,
    next_token: Annotated[
        str | None, typer.Option(metavar="TOKEN", help="Go on where the page before ended.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Print each of them as well, with its params and traceback.")
    ] = False,
    as_json: AsJsonLines = False,
) -> None:
    """Print why instances errored, grouped by cause.

    The most frequent cause comes first. Each has an id, by which `rerun --cause` runs its failures again.
    """
    with reporting():
        from background_jobs.orchestration_service import OrchestrationService

        orchestration = OrchestrationService().orchestration(orchestration_id)
        each = _read_failures(orchestration, cause) if full or cause else None
        page = None if cause else orchestration.causes(limit=limit, next_token=next_token)
        if as_json or not on_terminal():
            _print_lines(page, each, as_json=as_json)
        else:
            _print_drawn(page, each)
    if page and page.next_token and each is None:
        print_note(f"There are {page.causes:,} causes in all. The next page: --next-token {page.next_token}")
    if page and on_terminal() and not as_json:
        _print_notes(page, orchestration_id, is_brief=each is None)


def _print_lines(page: "CausePage | None", each: "Iterable[FailureView] | None", *, as_json: bool) -> None:
    """Print a line for programs for each cause, or where there are failures, for each of them."""
    for failure in each or ():
        error, params = failure.error, json.dumps(failure.params, ensure_ascii=False)
        if as_json:
            print_json(failure)
        else:
            print_row(failure.index, error.type, error.message, params, failure.attempts, failure.log)
    for cause in page.items if page and each is None else ():
        if as_json:
            print_json(cause)
        else:
            indices, common = ",".join(map(str, cause.indices)), " ".join(map(str, cause.common))
            print_row(
                cause.count,
                cause.retrying,
                cause.type,
                cause.message,
                cause.place,
                indices,
                common,
                cause.cause_id,
            )


def _print_drawn(page: "CausePage | None", each: "Iterable[FailureView] | None") -> None:
    for cause in page.items if page else ():
        out().print(_draw_cause(cause, page.total if page else 0), soft_wrap=True)
    for failure in each or ():
        out().print("", _draw_failure(failure), sep="\n", soft_wrap=True)


def _print_notes(page: "CausePage", orchestration_id: str, *, is_brief: bool) -> None:
    if not page.causes:
        print_note("No instance has errored.")
    elif is_brief:
        print_note(f"In full: background-jobs failures --full {orchestration_id}")
        print_note(f"Run a cause again: background-jobs rerun {orchestration_id} --cause CAUSE")


def _read_failures(orchestration: "Orchestration", cause: str | None) -> "Iterator[FailureView]":
    """Yield all failures, or those of one cause."""
    page = orchestration.failures(cause=cause, limit=LONGEST_PAGE)
    yield from page.items
    while page.next_token:
        page = orchestration.failures(cause=cause, limit=LONGEST_PAGE, next_token=page.next_token)
        yield from page.items


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
        Text(f"    cause {cause.cause_id}", "dim"),
        *([Text(f"    {cause.repaired:,} have completed in a rerun", "green")] if cause.repaired else []),
        *(
            Text(
                f"    always has {printable(str(param))} (as have {param.instances:,} of {total:,} instances)"
            )
            for param in cause.common
        ),
    ]
    return Text("\n").join(lines)


def _draw_failure(failure: "FailureView") -> "Text":
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
