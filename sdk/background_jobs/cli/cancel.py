"""`background-jobs cancel`: ask for the end of an orchestration."""

from typing import Annotated, Final

import typer

from background_jobs.cli.arguments import AsJson, OrchestrationId
from background_jobs.cli.reporting import print_json, reporting

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
    as_json: AsJson = False,
) -> None:
    """Cancel an orchestration.

    Its containers are stopped, and what has no outcome yet is Errored as Cancelled. Twice is harmless.
    """
    with reporting():
        from background_jobs.core.views.orchestration import CancelAnswer
        from background_jobs.orchestration_service import OrchestrationService

        orchestration = OrchestrationService().orchestration(orchestration_id)
        cancellation = (orchestration.pipeline() if pipeline else orchestration).cancel(reason)
    if as_json:
        print_json(CancelAnswer(found=cancellation))
    elif pipeline and cancellation == "requested":
        typer.echo(_PIPELINE_REQUESTED)
    else:
        typer.echo(_ANSWERS[cancellation])
