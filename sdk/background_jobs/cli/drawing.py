"""The parts that an orchestration is drawn with: its bar, its counts, its speed."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Column, Table
from rich.text import Text

from background_jobs.cli.times import format_duration
from background_jobs.cli.untrusted import printable
from background_jobs.core.statuses import OrchestrationStatus
from background_jobs.core.views.orchestration import OrchestrationView
from background_jobs.core.views.standstill import Standstill

STYLES: Final = {"completed": "green", "errored": "red", "running": "cyan", "waiting": "dim"}
"""The states of `Counts` in the order of a bar, and the style of each."""

STALLED: Final = "yellow"
CANCELLED: Final = "magenta"
_UNITS: Final = {"s": 1, "min": 60, "h": 3_600}
_WHOLE: Final = 100
_WIDEST: Final = 80
_GAUGE: Final = 24
_SHORT_ID: Final = 8


def headline(job_name: str, orchestration_id: str) -> Text:
    """Return the job name and the id of an orchestration."""
    return Text.assemble((printable(job_name), "bold"), "  ", (orchestration_id, "dim"))


@dataclass(frozen=True, slots=True)
class ProgressSummary:
    """How an orchestration stood at a time: its bar, its counts and its speed, a line each."""

    view: OrchestrationView
    at: datetime

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        total = f"{self.view.total:,}"
        width = options.max_width - len(f"  {total} of {total} (100 %)")
        bar = _bar(self.view, min(_WIDEST, width), ascii_only=options.ascii_only)
        yield bar.append(f"  {share(self.view)}")
        yield Text("   ").join(counts(self.view))
        yield Text("   ".join(speed(self.view, self.at)), "dim")


def _bar(view: OrchestrationView, width: int, *, ascii_only: bool) -> Text:
    """Return a bar whose parts are the shares of the states."""
    lines = dict(zip(STYLES, "##=-" if ascii_only else "━━─╌", strict=True))
    bar = Text(no_wrap=True)
    reached = 0
    for state, style in STYLES.items():
        reached += getattr(view.counts, state)
        cells = (width * reached // view.total if view.total else width) - len(bar)
        bar.append(lines[state] * cells, style)
    return bar


def gauge(percent: int, *, ascii_only: bool) -> Text:
    """Return a short bar that is filled to *percent*."""
    done, rest = "#-" if ascii_only else "━╌"
    cells = _GAUGE * percent // 100
    return Text.assemble((done * cells, STYLES["running"]), (rest * (_GAUGE - cells), STYLES["waiting"]))


def counts(view: OrchestrationView) -> list[Text]:
    """Return how many instances are in each state, leaving out states without any."""
    by_state = {state: getattr(view.counts, state) for state in STYLES}
    texts = [Text(f"{count:,} {state}", STYLES[state]) for state, count in by_state.items() if count]
    return texts or [Text("no instances", "dim")]


def status(view: OrchestrationView) -> Text:
    """Return the status, with the number of failures or the percentage that is done."""
    match view.status:
        case OrchestrationStatus.COMPLETED:
            return Text(view.status, STYLES["completed"])
        case OrchestrationStatus.ERRORED:
            return Text(f"{view.status} {view.counts.errored:,}", STYLES["errored"])
        case OrchestrationStatus.CANCELLED:
            return Text(view.status, CANCELLED)
        case OrchestrationStatus.IN_PROGRESS:
            text = f"{view.status} {percent(view)}%"
            return (
                Text(f"{text}, stands still", STALLED) if view.standstill else Text(text, STYLES["running"])
            )


def pipeline_status(view: OrchestrationView) -> Text:
    """Return the status of the pipeline of which *view* is the latest stage, or else of the orchestration."""
    if view.pipeline_status in {None, view.status}:
        return status(view)
    style = (
        STYLES["running"] if view.pipeline_status == OrchestrationStatus.IN_PROGRESS else STYLES["errored"]
    )
    return Text(view.pipeline_status or "", style)


def tags(view: OrchestrationView) -> str:
    """Return the tags as they are given to `kick-off`."""
    return " ".join(f"{name}={value}" for name, value in sorted(view.tags.items()))


def one_line(text: str) -> Text:
    """Return *text*, which others wrote, as one line that is cut where there is no room for it."""
    return Text(printable(text), no_wrap=True, overflow="ellipsis")


def row(cells: Iterable[str], widths: Iterable[int]) -> Text:
    """Return *cells*, which others wrote, side by side, each cut or filled to its width."""
    line = Text(no_wrap=True)
    for cell, width in zip(cells, widths, strict=True):
        text = one_line(cell)
        text.truncate(width, overflow="ellipsis", pad=True)
        line.append_text(text).append("  ")
    return line


def short_ids(orchestration_ids: Sequence[str]) -> dict[str, str]:
    """Return how each of the ids begins, in eight characters or as many as tell them apart.

    >>> short_ids(["7c0e0b9a-1c58", "7c0e0b9a-9d54"])
    {'7c0e0b9a-1c58': '7c0e0b9a-1', '7c0e0b9a-9d54': '7c0e0b9a-9'}
    """
    ids = dict.fromkeys(orchestration_ids)
    lengths = range(_SHORT_ID, max(map(len, ids), default=0))
    length = next((length for length in lengths if len({one[:length] for one in ids}) == len(ids)), None)
    return {one: one[:length] for one in ids}


def fitting_table(
    names: Sequence[str],
    rows: Iterable[Sequence[str | Text]],
    width: int,
    *,
    flexible: Mapping[str, int],
    droppable: Sequence[str] = (),
) -> Table:
    """Return *rows* under a header of *names*, without as many of the *droppable* columns as do not fit.

    They go from the first on. A *flexible* column takes the width that is given for it at least, and its
    text goes on in the next line.
    """
    cells = [[cell if isinstance(cell, Text) else Text(printable(cell)) for cell in row] for row in rows]
    columns = dict(zip(names, zip(*cells, strict=True) if cells else ((),) * len(names), strict=True))
    least = {
        name: min(flexible.get(name, width), max(len(name), *(cell.cell_len for cell in column), 0))
        for name, column in columns.items()
    }
    shown = list(names)
    for name in droppable:
        if sum(least[one] + 2 for one in shown) - 2 > width:
            shown.remove(name)
    drawn = table(*shown, flexible=flexible)
    for row in zip(*(columns[name] for name in shown), strict=True):
        drawn.add_row(*row)
    return drawn


def table(*names: str, flexible: Collection[str]) -> Table:
    """Return an empty table under a header of *names*; columns that are *flexible* give way to the others."""
    columns = [Column(name, no_wrap=name not in flexible, overflow="fold") for name in names]
    return Table(*columns, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")


def grid(rows: Iterable[Iterable[str | Text]]) -> Table:
    """Return *rows* in columns as wide as their cells; text without room goes on in the next line."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    for row in rows:
        # An id must not be cut, for half an id is useless.
        grid.add_row(*(cell if isinstance(cell, Text) else Text(cell, overflow="fold") for cell in row))
    return grid


def format_time(at: datetime) -> str:
    """Return *at* in local time, with its date and zone."""
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S %Z}"


def format_short_time(at: datetime, now: datetime) -> str:
    """Return *at* in local time, without the date and the zone where that is the day of *now*."""
    local = at.astimezone()
    return f"{local:%H:%M:%S}" if local.date() == now.astimezone().date() else format_time(at)


def format_zoned_time(at: datetime) -> str:
    """Return *at* in its own zone, which is named."""
    return f"{at:%Y-%m-%d %H:%M:%S %Z}"


def final(view: OrchestrationView) -> int:
    """Return how many instances have their outcome."""
    return view.counts.completed + view.counts.errored


def percent(view: OrchestrationView) -> int:
    """Return the percentage of the instances that have their outcome; 100 only when all have."""
    return 100 * final(view) // view.total if view.total else 100


def share(view: OrchestrationView) -> str:
    """Return how many of the instances have their outcome, in words."""
    return f"{final(view):,} of {view.total:,} ({percent(view)} %)"


def speed(view: OrchestrationView, now: datetime) -> Iterator[str]:
    """Yield how fast it goes, how long it has taken, and how long it may still take."""
    ended = view.completed_at or ((view.last_outcome_at or now) if final(view) == view.total else None)
    if view.first_job_at and final(view) and not ended:
        yield rate(final(view) / max(1.0, (now - view.first_job_at).total_seconds()))
    if view.started_at:
        duration = format_duration(((ended or now) - view.started_at).total_seconds())
        yield f"took {duration}" if ended else f"{duration} so far"
    if view.cancelled and not ended:
        yield "being cancelled"
    elif view.standstill and not ended:
        yield describe_standstill(view.standstill, now)
    elif view.eta_seconds is not None and not ended:
        yield f"about {format_duration(view.eta_seconds)} left"


def describe_standstill(standstill: Standstill, now: datetime) -> str:
    """Return for how long nothing has moved, since when, and why."""
    quiet = format_duration((now - standstill.since).total_seconds(), units=1)
    return (
        f"nothing has moved for {quiet}, since {format_time(standstill.since)}: {printable(standstill.why)}"
    )


def rate(a_second: float) -> str:
    """Return a rate in the unit that reads best.

    >>> rate(1_234), rate(0.5), rate(0.001)
    ('1,234/s', '30.0/min', '3.6/h')
    """
    value, unit = next(
        ((a_second * factor, unit) for unit, factor in _UNITS.items() if a_second * factor >= 1),
        (a_second * _UNITS["h"], "h"),
    )
    return f"{value:,.0f}/{unit}" if value >= _WHOLE else f"{value:.1f}/{unit}"
