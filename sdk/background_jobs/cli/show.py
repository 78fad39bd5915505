"""`background-jobs show`: all that is told of one orchestration."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from background_jobs.cli.arguments import AsJson, OrchestrationId
from background_jobs.cli.reporting import out, print_json, reporting

if TYPE_CHECKING:
    from background_jobs.core.views.answers import OrchestrationDetail
    from background_jobs.orchestration_service import Orchestration


def show(orchestration_id: OrchestrationId, as_json: AsJson = False) -> None:
    """Show how an orchestration stands, why instances wait, its pipeline, what happened and what it costs."""
    with reporting():
        from background_jobs.orchestration_service import OrchestrationService

        now = datetime.now(UTC)
        account = _account(OrchestrationService().orchestration(orchestration_id), now)
    if as_json:
        print_json(account)
        return
    from background_jobs.cli.show_sections import sections

    for section in sections(account, now):
        out().print(section)
        out().print()


def _account(orchestration: "Orchestration", now: datetime) -> "OrchestrationDetail":
    from background_jobs.core.planning.costs import estimate_cost
    from background_jobs.core.planning.fargate import TaskSize
    from background_jobs.core.views.answers import OrchestrationDetail
    from background_jobs.core.views.live import OrchestrationView

    usual = TaskSize()
    story, view = orchestration.story(), OrchestrationView.of(orchestration.summary(), now)
    return OrchestrationDetail(
        orchestration=view,
        story=story,
        stages=[stage.view(now) for stage in orchestration.pipeline().stages()],
        bill=estimate_cost(
            total=view.total,
            containers=len(story.launches),
            container_seconds=story.container_seconds,
            cpu=story.cpu or usual.cpu,
            memory_mib=story.memory_mib or usual.memory_mib,
        ),
    )
