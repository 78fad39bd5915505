"""`background-jobs cancel`: ask for the end of an orchestration."""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from background_jobs.cli.arguments import AsJson, OrchestrationId
from background_jobs.cli.exit_status import ExitStatus
from background_jobs.cli.reporting import (
    asks_people,
    on_terminal,
    print_json,
    print_line,
    print_note,
    print_row,
    reporting,
)

if TYPE_CHECKING:
    from background_jobs.orchestration_service import Orchestration

_PIPELINE_REQUESTED: Final = (
    "The pipeline is being cancelled: what has no outcome yet in the stage that runs is Errored as "
    "Cancelled, and no further stage starts."
)
_ANSWERS: Final = {
    "requested": "It is being cancelled: what has no outcome yet is Errored as Cancelled.",
    "already cancelled": "It was cancelled before.",
    "already done": "It was done already; there was nothing to cancel.",
}


def cancel(
    orchestration_id: OrchestrationId,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; every failure will say it.")] = "",
    pipeline: Annotated[
        bool, typer.Option("--pipeline", help="Cancel the stage that runs, and start none after it.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, as is usual on a terminal.")] = False,
    as_json: AsJson = False,
) -> None:
    """Cancel an orchestration.

    Its containers are stopped, and what has no outcome yet is Errored as Cancelled. Twice is harmless.
    """
    with reporting():
        from background_jobs.core.views.orchestration import CancelAnswer
        from background_jobs.orchestration_service import OrchestrationService

        orchestration = OrchestrationService().orchestration(orchestration_id)
        if not yes and asks_people():
            _confirm(orchestration, pipeline=pipeline)
        cancellation = (orchestration.pipeline() if pipeline else orchestration).cancel(reason)
    if as_json:
        print_json(CancelAnswer(found=cancellation))
    elif not on_terminal():
        print_row(cancellation)
    elif pipeline and cancellation == "requested":
        print_line(_PIPELINE_REQUESTED)
    else:
        print_line(_ANSWERS[cancellation])


def _confirm(orchestration: "Orchestration", *, pipeline: bool) -> None:
    """Ask whether to go on, or exit; what is done already is not asked about."""
    summary = orchestration.summary()
    if summary.all_final and not pipeline:
        return
    left = (summary.total or 0) - summary.completed - summary.errored
    what = "the pipeline of " if pipeline else ""
    print_note(
        f"{what}{orchestration.job_name} {orchestration.id}: {left:,} of {summary.total or 0:,} instances "
        "have no outcome yet."
    )
    if not typer.confirm("Cancel it?", err=True):
        print_note("Nothing was cancelled.")
        raise typer.Exit(ExitStatus.REFUSED)
