"""`background-jobs show`: everything about one orchestration."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from background_jobs.cli.arguments import AsJson, OrchestrationId
from background_jobs.cli.reporting import out, print_json, reporting


def show(
    orchestration_id: OrchestrationId,
    index: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Show instance N: its params, its outcome and what happened."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show how an orchestration stands, why instances wait, its pipeline, what happened and what it costs."""
    with reporting():
        from background_jobs.orchestration_service import OrchestrationService

        orchestration = OrchestrationService().orchestration(orchestration_id)
        found = orchestration.detail() if index is None else orchestration.instance(index)
    if as_json:
        print_json(found)
        return
    from background_jobs.cli.show_sections import draw_instance, draw_sections
    from background_jobs.core.views.instances import InstanceDetail

    if isinstance(found, InstanceDetail):
        sections = draw_instance(found, datetime.now(UTC))
    else:
        sections = draw_sections(found, datetime.now(UTC))
    for section in sections:
        out().print(section)
        out().print()
