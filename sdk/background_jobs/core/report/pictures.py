"""The pictures of a report, as SVG: the outcomes over time, the grid of instances, and the containers."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final

from background_jobs.core.report.markup import Markup, element, join
from background_jobs.core.report.words import clock, count, span
from background_jobs.core.statuses import State
from background_jobs.core.views.containers import ContainerPage, ContainerState, ContainerView
from background_jobs.core.views.throughput import Throughput

WIDTH: Final = 1_000
MOST_CELLS: Final = 10_000
"""Beyond it, a cell stands for several instances."""
_CHART: Final = 160
_AT_ONCE: Final = 80
_SIZES: Final = ((200, 20), (2_000, 10))
"""Up to how many cells they have which size; more have the smallest."""
_SMALLEST: Final = 6
_ROW: Final = 14
_LABEL: Final = 130
_WORST_FIRST: Final = "EbrwC"
_CLASSES: Final = {state.value[0]: state.name.lower().replace("_", "-") for state in State}


def draw_patterns() -> Markup:
    """Return the patterns by which errored and running can be told apart without colours."""
    hatch = element("path", d="M-1 1l2-2M0 4l4-4M3 5l2-2", class_="hatch")
    pattern = element(
        "pattern", hatch, id="hatched", width=4, height=4, patternUnits="userSpaceOnUse", aria_hidden="true"
    )
    return element(
        "svg", element("defs", pattern), class_="definitions", width=0, height=0, aria_hidden="true"
    )


def draw_throughput(throughput: Throughput) -> Markup | None:
    """Return the outcomes in each bucket of time as bars; None while there are none."""
    both = [
        completed + errored
        for completed, errored in zip(throughput.completed, throughput.errored, strict=True)
    ]
    if throughput.began_at is None or not any(both):
        return None
    most = max(both)
    bars = [
        element("path", d=_draw_bars(both, most, _CHART), class_="completed"),
        element("path", d=_draw_bars(throughput.errored, most, _CHART), class_="errored"),
        element("path", d=_draw_bars(throughput.errored, most, _CHART), fill="url(#hatched)"),
    ]
    seconds = throughput.bucket_seconds * len(both)
    label = (
        f"Outcomes over time: {count(sum(both))} in {span(seconds)}, {count(sum(throughput.errored))} of "
        f"them errored; {count(most)} at the most in {span(throughput.bucket_seconds)}."
    )
    began = throughput.began_at
    axis = _caption(clock(began), f"{span(seconds)} later")
    drawn = _picture(_CHART, label, *bars)
    return join(_caption(f"up to {count(most)} in {span(throughput.bucket_seconds)}"), drawn, axis)


def draw_grid(letters: str) -> Markup | None:
    """Return a cell for each of *letters*, the states of all instances; None where there are none."""
    if not letters:
        return None
    each = -(-len(letters) // MOST_CELLS)
    cells = letters if each == 1 else "".join(_find_worst(letters, each))
    size = next((size for most, size in _SIZES if len(cells) <= most), _SMALLEST)
    columns = WIDTH // size
    rows = -(-len(cells) // columns)
    paths = {letter: _draw_cells(cells, letter, columns, size) for letter in _WORST_FIRST if letter in cells}
    drawn = [element("path", d=path, class_=_CLASSES[letter]) for letter, path in paths.items()]
    hatched = element("path", d=paths["E"], fill="url(#hatched)") if "E" in paths else None
    lines = "".join(f"M{x} 0V{rows * size}" for x in range(0, columns * size + 1, size))
    lines += "".join(f"M0 {y}H{columns * size}" for y in range(0, rows * size + 1, size))
    words = ", ".join(
        f"{count(letters.count(state.value[0]))} {state}" for state in State if state.value[0] in letters
    )
    several = "" if each == 1 else f" A cell is {each} instances, and shows the worst of them."
    label = f"Instances by index, {count(columns)} in a row: {words}.{several}"
    return _picture(rows * size, label, *drawn, hatched, element("path", d=lines, class_="between"))


def draw_at_once(page: ContainerPage) -> Markup | None:
    """Return how many containers ran at once over time; None where there were none."""
    if not page.at_once or not (most := max(page.at_once)):
        return None
    bars = element("path", d=_draw_bars(page.at_once, most, _AT_ONCE), class_="running")
    label = f"Containers at once: {count(most)} at the most."
    drawn = _picture(_AT_ONCE, label, bars)
    axis = _caption(clock(page.began_at), clock(page.until))
    return join(_caption(f"up to {count(most)} at once"), drawn, axis)


def draw_launches(views: Sequence[ContainerView], began_at: datetime, until: datetime) -> Markup | None:
    """Return a bar for each of *views* from its start to its end, below each other; None without any."""
    if not views:
        return None
    seconds = max(1.0, (until - began_at).total_seconds())
    scale = (WIDTH - _LABEL) / seconds
    rows = [_draw_launch(view, number * _ROW, began_at, until, scale) for number, view in enumerate(views)]
    label = f"{count(len(views))} launches of containers over {span(seconds)}; the table has them in words."
    drawn = _picture(len(views) * _ROW, label, *rows)
    frame = element("div", drawn, class_="scroll wide", tabindex=0, role="region", aria_label="Launches")
    return join(frame, _caption(clock(began_at), clock(until)))


def _draw_launch(view: ContainerView, y: int, began_at: datetime, until: datetime, scale: float) -> Markup:
    x = _LABEL + max(0.0, (view.started_at - began_at).total_seconds()) * scale
    place: dict[str, float] = {
        "x": round(x, 1),
        "y": y + 2,
        "width": round(max(2.0, view.seconds(until) * scale), 1),
        "height": _ROW - 4,
    }
    is_troubled = view.state in {ContainerState.FAILED, ContainerState.LOST}
    again = f", launch {view.launch}" if view.launch else ""
    return join(
        element("text", f"share {view.share}{again}", x=0, y=y + _ROW - 3, class_="axis"),
        element("rect", class_=CONTAINER_CLASSES[view.state], **place),
        element("rect", fill="url(#hatched)", **place) if is_troubled else None,
    )


CONTAINER_CLASSES: Final = {
    ContainerState.RUNNING: "running",
    ContainerState.ENDED: "completed",
    ContainerState.FAILED: "errored",
    ContainerState.LOST: "errored",
}
"""The colour of a launch in each state, by the name of a class."""


def _draw_bars(values: Sequence[int], most: int, bottom: int) -> str:
    """Return the path of bars on *bottom* as high as *values*; neighbours of the same height are one."""
    width = WIDTH / len(values)
    parts, at = [], 0
    for value, same in groupby(values):
        length = len(list(same))
        if value:
            height = round(max(1.0, bottom * value / most), 1)
            parts.append(f"M{at * width:.1f} {bottom}v-{height}h{length * width:.1f}v{height}z")
        at += length
    return "".join(parts)


def _draw_cells(cells: str, letter: str, columns: int, size: int) -> str:
    """Return the path of all cells with *letter*; neighbours in a row are one rectangle."""
    return "".join(
        f"M{first * size} {row * size}h{length * size}v{size}h-{length * size}z"
        for row in range(-(-len(cells) // columns))
        for first, length in _find_runs(cells[row * columns : (row + 1) * columns], letter)
    )


def _find_runs(row: str, letter: str) -> Iterator[tuple[int, int]]:
    at = 0
    for found, same in groupby(row):
        length = len(list(same))
        if found == letter:
            yield at, length
        at += length


def _find_worst(letters: str, each: int) -> Iterable[str]:
    for first in range(0, len(letters), each):
        yield min(letters[first : first + each], key=_WORST_FIRST.index)


def _caption(*texts: str) -> Markup:
    """Return *texts* beside a picture, the last one at its right end."""
    return element("p", *(element("span", text) for text in texts), class_="caption")


def _picture(height: int, label: str, *parts: Markup | None) -> Markup:
    return element("svg", *parts, viewBox=f"0 0 {WIDTH} {height}", role="img", aria_label=label)
