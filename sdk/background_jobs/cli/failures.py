"""`background-jobs failures`: why instances errored, grouped by cause, and each with all that is known."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from background_jobs.cli.arguments import AsJsonLines, OrchestrationId
from background_jobs.cli.reporting import out, print_json_line, reporting, say
from background_jobs.cli.untrusted import printable_json, shown
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
        from background_jobs.core.views.answers import FailureView
        from background_jobs.orchestration_service import OrchestrationService

        orchestration = OrchestrationService().orchestration(orchestration_id)
        if as_json:
            _print_json(map(FailureView.of, _each(orchestration)) if full else orchestration.digest().causes)
            return
        digest = orchestration.digest()
        for cause in digest.causes:
            out().print(_cause(cause, digest.total), soft_wrap=True)
        for failure in _each(orchestration) if full else ():
            out().print("", _failure(failure), sep="\n", soft_wrap=True)
    if not digest.causes:
        say("No instance has errored.")
    elif not full:
        say(f"In full: background-jobs failures --full {orchestration_id}")


def _print_json(models: "Iterable[BaseModel]") -> None:
    for model in models:
        print_json_line(model)


def _each(orchestration: "Orchestration") -> "Iterator[Failure]":
    from background_jobs.core.outcomes import Failure

    return (one for one in orchestration.ended(Status.ERRORED) if isinstance(one, Failure))


def _cause(cause: "Cause", total: int) -> "Text":
    from rich.text import Text

    indices = ", ".join(map(str, cause.indices))
    others = f" and {cause.count - len(cause.indices):,} more" if cause.count > len(cause.indices) else ""
    lines = [
        Text.assemble(f"{cause.count:,}x ", (shown(cause.type), "red"), f": {shown(cause.message)}"),
        *([Text(f"    at {shown(cause.place)}", "dim")] if cause.place else []),
        Text(f"    index {indices}{others}", "dim"),
        *(
            Text(f"    always has {shown(str(one))} (as have {one.instances:,} of {total:,} instances)")
            for one in cause.common
        ),
    ]
    return Text("\n").join(lines)


def _failure(failure: "Failure") -> "Text":
    from rich.text import Text

    error = failure.error
    facts = {
        "params": printable_json(failure.params),
        "attempts": str(failure.attempts),
        **{f"attempt {one.attempt}": shown(f"{one.type}: {one.message}") for one in failure.failed_attempts},
        "log": shown(failure.log),
    }
    lines = [
        Text.assemble((f"#{failure.index} {shown(error.type)}", "red"), f": {shown(error.message)}"),
        *(Text.assemble((f"    {name:<10}", "dim"), fact) for name, fact in facts.items() if fact),
        *(Text(f"    {line}") for line in shown(error.traceback, lines=True).splitlines()),
    ]
    return Text("\n").join(lines)
