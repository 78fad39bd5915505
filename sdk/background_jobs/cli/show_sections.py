"""What `show` draws below the headline: facts, why instances wait, the pipeline and the timeline."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from background_jobs.cli import drawing
from background_jobs.cli.times import told
from background_jobs.cli.untrusted import shown
from background_jobs.core.planning.fargate import TaskSize
from background_jobs.core.planning.prices import US_EAST_1
from background_jobs.core.views.answers import OrchestrationDetail, StageView
from background_jobs.core.views.event_history import EventHistory, TimelineEntry
from background_jobs.core.views.live import OrchestrationView
from background_jobs.core.views.waits import Wait

_ENDS: Final = 10
"""Entries of a timeline that are shown from its beginning, and as many from its end."""
_DOLLAR: Final = 1


def sections(account: OrchestrationDetail, now: datetime) -> Iterator[RenderableType]:
    """Yield what is shown, from the headline down; each section stands by itself."""
    view, story = account.orchestration, account.story
    yield drawing.headline(view.job_name, view.orchestration_id)
    yield drawing.ProgressSummary(view, now)
    yield _facts(account)
    if story.waits:
        yield _waits(story.waits)
    if len(account.stages) > 1:
        yield _stages(account.stages)
    yield _timeline(story.timeline)


def _facts(account: OrchestrationDetail) -> Table:
    view = account.orchestration
    times = {"kicked off": view.started_at, "first job": view.first_job_at, "completed": view.completed_at}
    facts: dict[str, str | Text] = {
        "status": drawing.status(view),
        "service": shown(view.service),
        **{name: drawing.moment(at) for name, at in times.items() if at},
        "tags": shown(drawing.tags(view)),
        **_descent(view),
        "containers": _containers(account.story),
        "cost": f"about {_price(account.bill.dollars)}, an estimate for {_size(account)} a container "
        f"at list prices of {US_EAST_1.region}, {US_EAST_1.as_of:%B %Y}",
    }
    return _grid((Text(name, "dim"), fact) for name, fact in facts.items() if fact)


def _descent(view: OrchestrationView) -> dict[str, str]:
    """Return from which orchestration this one comes, and how."""
    if view.parent_id is None:
        return {}
    if view.rerun_only is None:
        return {"follows": view.parent_id}
    which = f"{view.total:,} failed" if view.rerun_only == "failed" else f"all {view.total:,}"
    return {"runs again": f"{which} of {view.parent_id}"}


def _containers(story: EventHistory) -> str:
    if not story.launches:
        return "none launched yet"
    lost = [f"{story.lost:,} lost"] if story.lost else []
    failed = [f"{story.failed_attempts:,} failed attempts"] if story.failed_attempts else []
    ran = f"ran {told(story.container_seconds)} in all"
    return ", ".join([f"{len(story.launches):,} launched", *lost, ran, *failed])


def _size(account: "OrchestrationDetail") -> str:
    usual, story = TaskSize(), account.story
    size = TaskSize(cpu=story.cpu or usual.cpu, memory_mib=story.memory_mib or usual.memory_mib)
    return f"{size.vcpus:g} vCPU and {size.gigabytes:g} GB"


def _price(dollars: float) -> str:
    return f"${dollars:,.2f}" if dollars >= _DOLLAR else f"${dollars:.4f}"


def _waits(waits: Iterable[Wait]) -> Table:
    return _grid(
        (
            Text(f"{wait.instances:,} wait", drawing.STYLES["waiting"]),
            shown(wait.reason),
            f"since {drawing.moment(wait.since)}",
            shown(wait.detail),
        )
        for wait in waits
    )


def _stages(stages: Iterable[StageView]) -> Table:
    table = drawing.table("#", "JOB", "STATUS", "DONE", "ID", flexible=("JOB", "STATUS"))
    for stage in stages:
        begun = stage.orchestration
        table.add_row(
            str(stage.number),
            Text(shown(stage.job_name)),
            drawing.status(begun) if begun else _not_begun(stage),
            f"{drawing.final(begun):,} of {begun.total:,}" if begun else "",
            begun.orchestration_id if begun else "",
        )
    return table


def _not_begun(stage: StageView) -> Text:
    return Text(shown(f"skipped: {stage.skipped}"), "red") if stage.skipped else Text("to come", "dim")


def _timeline(entries: Sequence[TimelineEntry]) -> Table:
    rows = [(Text(_moment(entry.at), "dim"), entry.type, shown(entry.detail)) for entry in entries]
    if (more := len(rows) - 2 * _ENDS) <= 0:
        return _grid(rows)
    between = ("...", f"{more:,} more, --json has them all", "")
    return _grid([*islice(rows, _ENDS), between, *rows[-_ENDS:]])


def _grid(rows: Iterable[Iterable[str | Text]]) -> Table:
    """Return *rows* in columns that are as wide as they need; only the last one is folded."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    for row in rows:
        # What does not fit goes on below: an id that is cut is none.
        grid.add_row(*(cell if isinstance(cell, Text) else Text(cell, overflow="fold") for cell in row))
    return grid


def _moment(at: datetime) -> str:
    """Return a moment in local time without its year, which would leave no room for what happened."""
    return f"{at.astimezone():%m-%d %H:%M:%S}"
