"""`background-jobs show`: everything about one orchestration."""

from datetime import UTC, datetime

from background_jobs.cli.arguments import AsJson, OrchestrationId
from background_jobs.cli.reporting import on_terminal, out, print_fields, print_json, reporting


def show(orchestration_id: OrchestrationId, as_json: AsJson = False) -> None:
    """Show how an orchestration stands, why instances wait, its pipeline, what happened and what it costs."""
    with reporting():
        from background_jobs.orchestration_service import OrchestrationService

        found = OrchestrationService().orchestration(orchestration_id).detail()
    if as_json:
        print_json(found)
        return
    if not on_terminal():
        print_fields(found)
        return
    from background_jobs.cli.show_sections import draw_sections

    for section in draw_sections(found, datetime.now(UTC), out().width):
        out().print(section)
        out().print()
