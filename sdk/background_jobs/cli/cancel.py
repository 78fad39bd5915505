"""`background-jobs cancel`: ask for the end of an orchestration."""

from typing import Annotated, Final

import typer

from background_jobs.cli.arguments import AsJson, OrchestrationId
from background_jobs.cli.reporting import print_json, reporting

_ANSWERS: Final = {
    "requested": "It is being cancelled: what has no outcome yet is Errored as Cancelled.",
    "already cancelled": "It was cancelled before.",
    "already done": "It was done already; there was nothing to cancel.",
}


def cancel(
    orchestration_id: OrchestrationId,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; every failure will say it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Cancel an orchestration.

    Its containers are stopped, and what has no outcome yet is Errored as Cancelled. Twice is harmless.
    """
    with reporting():
        from background_jobs.core.answers import CancelAnswer
        from background_jobs.orchestration_service import OrchestrationService

        found = OrchestrationService().orchestration(orchestration_id).cancel(reason)
    if as_json:
        print_json(CancelAnswer(found=found))
    else:
        typer.echo(_ANSWERS[found])
