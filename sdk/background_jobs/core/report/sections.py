"""The sections of a report about the orchestration as a whole."""

from collections.abc import Iterable
from datetime import timedelta
from itertools import chain
from typing import Final

from background_jobs.core.payloads import bounded
from background_jobs.core.report.content import ReportContent
from background_jobs.core.report.markup import Child, Markup, element, join
from background_jobs.core.report.pictures import draw_grid, draw_throughput
from background_jobs.core.report.words import clock, count, span
from background_jobs.core.statuses import State
from background_jobs.core.views.comparison import CauseChange, RunFigures
from background_jobs.core.views.cost import describe_lines
from background_jobs.core.wording import count_of

_ENDS: Final = 20
"""How many entries of a timeline are shown from its beginning, and as many from its end."""
_CHANGES: Final = 20
_TEXT: Final = 500


def section(title: str, *children: Child) -> Markup:
    """Return a section under its title."""
    return element("section", element("h2", title), *children)


def table(head: Iterable[str], rows: Iterable[Iterable[Child]], label: str, *, wordy: bool = False) -> Markup:
    """Return a table in a frame that scrolls where there is no room; if *wordy*, it ends with sentences."""
    names = element("tr", *(element("th", name, scope="col") for name in head))
    body = [element("tr", *(element("td", cell) for cell in row)) for row in rows]
    written = element(
        "table", element("thead", names), element("tbody", *body), class_="wordy" if wordy else None
    )
    return element("div", written, class_="scroll", tabindex=0, role="region", aria_label=label)


def write_head(content: ReportContent) -> Markup:
    """Return the title, how it stands, and since when."""
    view = content.view
    cancelled = "cancelled" if view.cancelled and "ancelled" not in view.status else None
    ended = "" if view.completed_at else ", while it still ran"
    return element(
        "header",
        element(
            "p",
            f"Report of an orchestration, written {clock(content.written_at)}{ended}",
            class_="muted",
        ),
        element(
            "h1",
            view.job_name,
            " ",
            element("span", view.status, class_="badge", data_status=view.status),
            " ",
            element("span", cancelled, class_="badge") if cancelled else None,
        ),
        element("p", element("code", view.orchestration_id)),
    )


def write_counts(content: ReportContent) -> Markup:
    """Return how many instances are in each state, as a bar and as a list."""
    view = content.view
    counts = {state: content.letters.count(state.value[0]) for state in State}
    names = {state: state.name.lower().replace("_", "-") for state in State}
    parts = [
        element("span", class_=f"part {names[state]}", style=f"flex-grow:{number}")
        for state, number in counts.items()
        if number
    ]
    legend = [
        element("li", element("span", class_=f"swatch {names[state]}"), f"{count(number)} {state}")
        for state, number in counts.items()
        if number
    ]
    final = view.counts.completed + view.counts.errored
    percent = 100 * final // view.total if view.total else 100
    return element(
        "section",
        element("p", f"{count(final)} of {count_of(view.total, 'instance')} ended ({percent} %)."),
        element("div", *parts, class_="bar", aria_hidden="true"),
        element("ul", *legend, class_="legend"),
    )


def write_grid(content: ReportContent) -> Markup | None:
    """Return a cell for each instance; None where there are none."""
    drawn = draw_grid(content.letters)
    return section("Instances by index", drawn) if drawn else None


def write_facts(content: ReportContent) -> Markup:
    """Return its times and its settings."""
    view, started = content.view, content.started
    ended = view.completed_at or content.written_at
    took = span((ended - view.started_at).total_seconds()) if view.started_at else ""
    retry = started.retry.model_dump(mode="json", exclude_defaults=True) if started.retry else {}
    facts = {
        "Kicked off": clock(started.at),
        "First job": clock(view.first_job_at) if view.first_job_at else "",
        "Last outcome": clock(view.last_outcome_at) if view.last_outcome_at else "",
        "Cancelled": clock(view.cancelled_at) if view.cancelled_at else "",
        "Completed": clock(view.completed_at) if view.completed_at else "",
        "Took" if view.completed_at else "Elapsed": took,
        "Service": view.service,
        "Parallelism": count(started.parallelism),
        "Timeout": span((started.deadline - started.at) / timedelta(seconds=1)) if started.deadline else "",
        "Retry": ", ".join(f"{name} {value}" for name, value in retry.items()),
        "Key": started.idempotency_key or "",
        "Tags": ", ".join(f"{name}: {value}" for name, value in sorted(view.tags.items())),
        "Revision": ", ".join(content.history.task_definitions),
        "Failed attempts": count(content.history.failed_attempts),
        **_describe_origin(content),
    }
    pairs = (
        (element("dt", name), element("dd", bounded(fact, _TEXT))) for name, fact in facts.items() if fact
    )
    return section("Times and settings", element("dl", *chain.from_iterable(pairs)))


def _describe_origin(content: ReportContent) -> dict[str, str]:
    view = content.view
    if view.parent_id is None:
        return {}
    return {f"Runs again {view.rerun_only}" if view.rerun_only else "Follows": view.parent_id}


def write_throughput(content: ReportContent) -> Markup | None:
    """Return its outcomes over time; None while there are none."""
    drawn = draw_throughput(content.throughput)
    return section("Outcomes over time", drawn) if drawn else None


def write_waits(content: ReportContent) -> Markup | None:
    """Return why instances wait; None where none does."""
    if not content.history.waits:
        return None
    waits = [element("li", str(wait)) for wait in content.history.waits]
    return section("Why instances wait", element("ul", *waits, class_="plain"))


def write_stages(content: ReportContent) -> Markup | None:
    """Return the stages of its pipeline; None where it is in none."""
    if len(content.stages) < 2:  # noqa: PLR2004 -- it is a stage of its own
        return None
    rows = []
    for stage in content.stages:
        view = stage.orchestration
        stands = f"skipped: {stage.skipped}" if stage.skipped else "to come"
        done = f"{count(view.counts.completed + view.counts.errored)} of {count(view.total)}" if view else ""
        rows.append(
            (
                str(stage.number),
                stage.job_name,
                view.status if view else stands,
                done,
                element("code", view.orchestration_id) if view else None,
            )
        )
    head = ("Stage", "Job", "Status", "Ended", "Id")
    return section("Pipeline", table(head, rows, "Stages of the pipeline"))


def write_cost(content: ReportContent) -> Markup:
    """Return an estimate of what it has cost, by service."""
    said = content.cost.summary
    return section(
        "Cost",
        element("p", f"{said[0].upper()}{said[1:]}."),
        table(("Service", "Usage", "US dollars"), describe_lines(content.cost), "Cost by service"),
    )


def write_comparison(content: ReportContent) -> Markup | None:
    """Return what a rerun has changed; None where it is no rerun."""
    comparison = content.comparison
    if comparison is None:
        return None
    rows = [
        _describe_figures("The original", comparison.before),
        _describe_figures("This rerun", comparison.after),
    ]
    head = ("Orchestration", "Id", "Instances", "Completed", "Errored", "Took")
    changes = {"Gone": comparison.gone, "New": comparison.new, "Still there": comparison.same}
    return section(
        "Compared with the original",
        table(head, rows, "The original and this rerun"),
        *(join(*_write_changes(name, found)) for name, found in changes.items() if found),
    )


def _describe_figures(name: str, figures: RunFigures) -> tuple[Child, ...]:
    return (
        name,
        element("code", figures.orchestration_id),
        count(figures.total),
        count(figures.counts.completed),
        count(figures.counts.errored),
        span(figures.seconds or 0) if figures.completed_at else f"{span(figures.seconds or 0)} so far",
    )


def _write_changes(name: str, changes: list[CauseChange]) -> Iterable[Markup]:
    yield element("h3", f"{name}: {count_of(len(changes), 'cause')}")
    lines = [
        element(
            "li", element("code", change.type), f" {bounded(change.message, _TEXT)} ", _count_change(change)
        )
        for change in changes[:_CHANGES]
    ]
    if len(changes) > _CHANGES:
        lines.append(element("li", f"{count(len(changes) - _CHANGES)} more"))
    yield element("ul", *lines, class_="plain")


def _count_change(change: CauseChange) -> Markup:
    return element("span", f"({count(change.before)} before, {count(change.after)} now)", class_="muted")


def write_timeline(content: ReportContent) -> Markup:
    """Return what happened to it; the middle of a long history is left out, and said so."""
    entries = content.history.timeline
    rows: list[tuple[Child, ...]] = [
        (element("time", clock(entry.at)), entry.type, bounded(entry.detail, _TEXT)) for entry in entries
    ]
    if (more := len(rows) - 2 * _ENDS) > 0:
        rows = [*rows[:_ENDS], ("", "…", f"{count(more)} more"), *rows[-_ENDS:]]
    later = [element("p", events.sentence) for events in content.history.later_events]
    happened = table(("When", "Event", "Detail"), rows, "What happened", wordy=True)
    return section("What happened", happened, *later)
