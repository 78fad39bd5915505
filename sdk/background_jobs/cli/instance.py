"""`background-jobs instance`: everything about one job instance."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from background_jobs.cli.arguments import AsJson, OrchestrationId
from background_jobs.cli.reporting import on_terminal, out, print_fields, print_json, reporting


def instance(
    orchestration_id: OrchestrationId,
    index: Annotated[int, typer.Argument(min=0, metavar="N", help="Its index, from 0.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Show one instance: how it stands, its params, its attempts, its error, its container and its log."""
    with reporting():
        from background_jobs.orchestration_service import OrchestrationService

        found = OrchestrationService().orchestration(orchestration_id).instance(index)
    if as_json:
        print_json(found)
    elif not on_terminal():
        print_fields(found)
    else:
        from background_jobs.cli.show_sections import draw_instance

        for section in draw_instance(found, datetime.now(UTC)):
            out().print(section)
            out().print()
