"""The sections that `show` prints: headline, facts, why instances wait, the pipeline and the timeline."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from background_jobs.cli import drawing
from background_jobs.cli.times import format_duration
from background_jobs.cli.untrusted import printable
from background_jobs.core.statuses import Status
from background_jobs.core.views.event_history import EventHistory, Launch, TimelineEntry
from background_jobs.core.views.instances import InstanceDetail, InstanceEvent
from background_jobs.core.views.later_events import LaterEvents
from background_jobs.core.views.orchestration import OrchestrationView
from background_jobs.core.views.orchestration_detail import OrchestrationDetail
from background_jobs.core.views.pipeline import StageView
from background_jobs.core.views.waits import Wait
from background_jobs.core.wording import count_of

_ENDS: Final = 10
"""How many entries of a timeline are printed from its beginning, and as many from its end."""


def draw_sections(detail: OrchestrationDetail, now: datetime, width: int) -> Iterator[RenderableType]:
    """Yield the sections of *detail* as of *now*, from the headline down, for a terminal of *width*."""
    view, history = detail.orchestration, detail.event_history
    yield drawing.headline(view.job_name, view.orchestration_id)
    yield drawing.ProgressSummary(view, now)
    yield _draw_facts(detail)
    if history.waits:
        yield _draw_waits(history.waits)
    if len(detail.stages) > 1:
        yield _draw_stages(detail.stages, width)
    yield _draw_timeline(history.timeline, now)
    yield from _draw_later(history.later_events)


def draw_instance(detail: InstanceDetail, now: datetime) -> Iterator[RenderableType]:
    """Yield the sections of one instance as of *now*: how it stands, and what happened to it."""
    view, error = detail.instance, detail.error
    status = view.status if view.status != Status.IN_PROGRESS else f"{view.status}, {view.state.name.lower()}"
    result = "" if error or view.status != Status.COMPLETED else json.dumps(detail.result, ensure_ascii=False)
    facts = {
        "instance": f"{view.index}",
        "job id": view.job_id,
        "status": status.replace("_", " "),
        "params": json.dumps(detail.params, ensure_ascii=False),
        "result": result,
        "attempts": f"{max((event.attempt or 0 for event in detail.events), default=0)}",
        "error": f"{error.type}: {error.message}" if error else "",
        "container": ", then ".join(map(_describe_launch, detail.containers)),
        "log": detail.log,
    }
    yield drawing.grid((Text(name, "dim"), printable(fact)) for name, fact in facts.items() if fact)
    yield drawing.grid(
        (Text(drawing.format_short_time(event.at, now), "dim"), event.type, _describe_event(event))
        for event in detail.events
    )
    yield from _draw_later(detail.later_events)
    if error and error.traceback:
        yield Text(printable(error.traceback.rstrip(), lines=True))


def _draw_later(events: Iterable[LaterEvents]) -> Iterator[Text]:
    yield from (Text(printable(event.sentence), "yellow") for event in events)


def _describe_launch(launch: Launch) -> str:
    again = f", launch {launch.launch}" if launch.launch else ""
    status = "" if launch.status is None else f", exit status {launch.status}"
    warm = ", a warm worker" if launch.warm else ""
    return f"share {launch.share}{again} with instances {launch.first} to {launch.last}{warm}{status}"


def _describe_event(event: InstanceEvent) -> str:
    attempt = f"attempt {event.attempt}" if event.attempt else ""
    return printable(": ".join(filter(None, (attempt, event.detail))))


def _draw_facts(detail: OrchestrationDetail) -> Table:
    view = detail.orchestration
    times = {"kicked off": view.started_at, "first job": view.first_job_at, "completed": view.completed_at}
    facts: dict[str, str | Text] = {
        "status": drawing.status(view),
        "service": printable(view.service),
        **{name: drawing.format_time(at) for name, at in times.items() if at},
        "tags": printable(drawing.tags(view)),
        **_describe_origin(view),
        "containers": _describe_containers(detail.event_history, is_done=drawing.final(view) == view.total),
        "revision": printable(", ".join(detail.event_history.task_definitions)),
        "cost": printable(detail.cost.summary),
    }
    return drawing.grid((Text(name, "dim"), fact) for name, fact in facts.items() if fact)


def _describe_origin(view: OrchestrationView) -> dict[str, str]:
    """Return from which orchestration this one comes: as its rerun, or as its next stage."""
    if view.parent_id is None:
        return {}
    if view.rerun_only is None:
        return {"follows": view.parent_id}
    number = f"{view.total:,}"
    which = f"all {number}" if view.rerun_only == "all" else f"{number} {view.rerun_only}"
    return {"runs again": f"{which} of {view.parent_id}"}


def _describe_containers(history: EventHistory, *, is_done: bool) -> str:
    if not history.launches:
        return "none has begun its share" if is_done else "none has begun its share yet"
    ended_early = f"{history.lost:,} process{'es' if history.lost > 1 else ''} ended early"
    failed = [count_of(history.failed_attempts, "failed attempt")] if history.failed_attempts else []
    ran = f"ran {format_duration(history.container_seconds)} in all"
    warm = sum(launch.warm for launch in history.launches)
    shares = [f"{warm:,} on warm workers"] if warm else []
    lost = [ended_early] if history.lost else []
    return ", ".join([f"{history.containers:,} launched", *shares, *lost, ran, *failed])


def _draw_waits(waits: Iterable[Wait]) -> Table:
    return drawing.grid(
        (
            Text(f"{wait.instances:,} wait", drawing.STYLES["waiting"]),
            printable(wait.reason),
            f"since {drawing.format_time(wait.since)}",
            printable(". ".join(filter(None, (wait.detail.rstrip("."), wait.advice)))),
        )
        for wait in waits
    )


def _draw_stages(stages: Sequence[StageView], width: int) -> Table:
    views = [stage.orchestration for stage in stages]
    short = drawing.short_ids([view.orchestration_id for view in views if view])
    rows = [
        (
            str(stage.number),
            stage.job_name,
            drawing.status(view) if view else _describe_unstarted(stage),
            f"{drawing.final(view):,} of {view.total:,}" if view else "",
            short[view.orchestration_id] if view else "",
        )
        for stage, view in zip(stages, views, strict=True)
    ]
    return drawing.fitting_table(
        ("#", "JOB", "STATUS", "DONE", "ID"),
        rows,
        width,
        flexible={"JOB": 8, "STATUS": 12},
        droppable=("#", "DONE"),
    )


def _describe_unstarted(stage: StageView) -> Text:
    return Text(printable(f"skipped: {stage.skipped}"), "red") if stage.skipped else Text("to come", "dim")


def _draw_timeline(entries: Sequence[TimelineEntry], now: datetime) -> Table:
    rows = [
        (Text(drawing.format_short_time(entry.at, now), "dim"), entry.type, printable(entry.detail))
        for entry in entries
    ]
    if (more := len(rows) - 2 * _ENDS) <= 0:
        return drawing.grid(rows)
    between = ("...", f"{more:,} more, --json has them all", "")
    return drawing.grid([*islice(rows, _ENDS), between, *rows[-_ENDS:]])
