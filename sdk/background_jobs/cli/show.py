"""`background-jobs show`: everything about one orchestration."""

from datetime import UTC, datetime

from background_jobs.cli.arguments import AsJson, OrchestrationId
from background_jobs.cli.reporting import out, print_json, reporting


def show(orchestration_id: OrchestrationId, as_json: AsJson = False) -> None:
    """Show how an orchestration stands, why instances wait, its pipeline, what happened and what it costs."""
    with reporting():
        from background_jobs.orchestration_service import OrchestrationService

        detail = OrchestrationService().orchestration(orchestration_id).detail()
    if as_json:
        print_json(detail)
        return
    from background_jobs.cli.show_sections import draw_sections

    for section in draw_sections(detail, datetime.now(UTC)):
        out().print(section)
        out().print()
