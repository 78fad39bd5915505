"""`background-jobs show`: one orchestration at a glance."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from background_jobs.cli.arguments import AsJson, OrchestrationId
from background_jobs.cli.reporting import out, print_json, reporting
from background_jobs.cli.untrusted import shown

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from background_jobs.core.live import OrchestrationView


def show(orchestration_id: OrchestrationId, as_json: AsJson = False) -> None:
    """Show an orchestration at a glance."""
    with reporting():
        from background_jobs.core.live import OrchestrationView
        from background_jobs.orchestration_service import OrchestrationService

        now = datetime.now(UTC)
        summary = OrchestrationService().orchestration(orchestration_id).summary()
    view = OrchestrationView.of(summary, now)
    if as_json:
        print_json(view)
    else:
        for section in _sections(view, now):
            out().print(section, end="\n\n")


def _sections(view: "OrchestrationView", now: datetime) -> "Iterator[RenderableType]":
    """Yield what is shown, from the headline down; each section stands by itself."""
    from background_jobs.cli import drawing

    yield drawing.headline(view.job_name, view.orchestration_id)
    yield drawing.Standing(view, now)
    yield _facts(view)


def _facts(view: "OrchestrationView") -> "Table":
    from rich.table import Table
    from rich.text import Text

    from background_jobs.cli import drawing

    times = {"kicked off": view.started_at, "first job": view.first_job_at, "completed": view.completed_at}
    facts = {
        "status": drawing.status(view),
        "service": shown(view.service),
        **{name: drawing.moment(at) for name, at in times.items() if at},
        "tags": shown(drawing.tags(view)),
        "parent": view.parent_id,
    }
    table = Table.grid(padding=(0, 2))
    for name, fact in facts.items():
        if fact:
            table.add_row(Text(name, "dim"), fact if isinstance(fact, Text) else Text(fact))
    return table
