"""The tables and plots of docs/benchmarks.md, from the figures that are kept: nothing is measured here."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.compare.bar_chart import draw_bars
from benchmarks.compare.figures import DOCUMENT, Figures
from benchmarks.compare.losses import KINDS, TASKS
from benchmarks.compare.workloads import COLD, COLD_TITLE, NO_OPS, WORKLOADS
from benchmarks.generated_parts import put_part
from benchmarks.peers.catalogue import PEERS
from benchmarks.simulate.formatting import format_table
from benchmarks.simulate.line_chart import draw_chart

_NONE: Final = "-"
IMAGES: Final = DOCUMENT.with_name("images")
_DURABLE: Final = (
    "Ours runs on an emulator that keeps everything in memory; what the others keep is on disk, "
    "but for Dask and the process pool, which keep nothing."
)


def write_document(figures: Figures) -> Iterator[Path]:
    """Write the document and its plots, and yield what was written."""
    DOCUMENT.write_text(render(DOCUMENT.read_text(), figures))
    yield DOCUMENT
    for name, plot in plots(figures).items():
        path = IMAGES / name
        path.write_text(plot)
        yield path


def render(text: str, figures: Figures) -> str:
    """Return the document with its parts as *figures* have them."""
    parts = {
        "machine": _machine(figures),
        "peers": _peers(figures),
        "losses": _losses(figures),
        "own": _own(figures),
        "lag": _lag(figures),
    }
    for name, part in parts.items():
        text = put_part(text, name, part)
    return text


def plots(figures: Figures) -> dict[str, str]:
    """Return the plots by the names of their files; one without figures is left out."""
    drawn: dict[str, str] = {}
    if lines := {PEERS[peer].title: points for peer, points in _throughput(figures).items() if points}:
        drawn["benchmarks-throughput.svg"] = draw_chart(
            "No-ops a second; ours is in memory",
            lines,
            across="no-ops kicked off at once",
            y_ticks=_ticks(lines),
        )
    if bars := _bars(figures, {"workers warm": "one", "everything down": COLD}):
        drawn["benchmarks-one.svg"] = draw_bars("N = 1, kick-off to result", bars, "seconds")
    if bars := _bars(figures, {"64 skewed sleeps on 8 workers": "skew"}):
        drawn["benchmarks-skew.svg"] = draw_bars("Work of uneven length", bars, "seconds")
    return drawn


def _machine(figures: Figures) -> str:
    machine = figures.machine
    if figures.quick:
        warning = (
            "**A trial: one round (`--quick`), on a machine that did other work beside it. "
            "Compare nothing by it.**\n\n"
        )
    else:
        warning = ""
    return (
        f"{warning}Measured {machine.at:%Y-%m-%d %H:%M} UTC at commit {machine.commit}: "
        f"{machine.processors} processors ({machine.processor}), {machine.system}, Python {machine.python}; "
        f"load average {machine.load_before} before and {machine.load_after} after; "
        f"medians of {figures.repeat}. {_DURABLE}"
    )


def _peers(figures: Figures) -> str:
    names = [name for name in PEERS if any(name in peers for peers in figures.seconds.values())]
    rows = [
        [f"{workload.title}{', a second' if workload.rate else ', s'}", *_cells(figures, name, names)]
        for name, workload in WORKLOADS.items()
        if name in figures.seconds or name in figures.without
    ]
    rows.insert(0, [f"{COLD_TITLE}, s", *_cells(figures, COLD, names)])
    rows.append(["keeps its tasks in", *(PEERS[name].keeps for name in names)])
    rows.append(["versions", *(figures.versions.get(name, "-") for name in names)])
    table = format_table(["", *(PEERS[name].title for name in names)], rows)
    return "\n".join([table, *_notes(figures)])


def _cells(figures: Figures, workload: str, names: list[str]) -> list[str]:
    return [_cell(figures, workload, name) for name in names]


def _cell(figures: Figures, workload: str, name: str) -> str:
    seconds = figures.seconds.get(workload, {}).get(name)
    if not seconds:
        return _NONE
    if workload != COLD and WORKLOADS[workload].rate:
        return f"{WORKLOADS[workload].tasks / median(seconds):,.0f}"
    return f"{median(seconds):.2g}" if median(seconds) < 1 else f"{median(seconds):.1f}"


def _notes(figures: Figures) -> Iterator[str]:
    for name, reason in figures.left_out.items():
        yield f"\n{PEERS[name].title} is left out: {reason}."
    for workload, reasons in figures.without.items():
        title = COLD_TITLE if workload == COLD else WORKLOADS[workload].title
        for name, reason in reasons.items():
            yield f"\n{title}, {PEERS[name].title}: left out, {reason}."


def _losses(figures: Figures) -> str:
    rows = []
    for name in PEERS:
        cells = [_loss(figures, kind, name) for kind in KINDS]
        if any(cell != _NONE for cell in cells):
            rows.append([PEERS[name].title, *cells])
    return format_table([f"of {TASKS} tasks", *(f"kill -9 of {kind}" for kind in KINDS.values())], rows)


def _loss(figures: Figures, kind: str, name: str) -> str:
    if reason := figures.no_losses.get(kind, {}).get(name):
        return f"not known: {reason}"
    loss = figures.losses.get(kind, {}).get(name)
    if loss is None:
        return _NONE
    twice = f"{loss.ran_twice} ran twice" if loss.ran_twice else "none ran twice"
    if not loss.missing:
        return f"nothing lost, {twice}; done {loss.seconds:.0f} s after the kill; to do: nothing"
    return f"results that did not come: {loss.missing}; {twice}; to do: {loss.remedy}"


def _own(figures: Figures) -> str:
    rows = [
        [
            f"{cost['instances']:,}",
            f"{cost['instances'] / cost['seconds']:,.0f}",
            f"{cost['cpu_ms']:.3f}",
            f"{cost['kick_off_seconds']:.2f}",
            f"{cost['reading_seconds']:.2f}",
            f"{cost['calls']:.4f}",
            *(
                f"{cost[units]:.4f}" if units in cost else _NONE
                for units in ("log_units", "read_model_units")
            ),
            *(f"{cost[memory]:.0f}" for memory in _MEMORY),
        ]
        for cost in figures.own
    ]
    return format_table(_OWN_HEAD, rows)


_UNITS: Final = ("log_units", "read_model_units")
_MEMORY: Final = ("kick_off_mb", "caller_mb", "container_mb", "emulator_mb")
_OWN_HEAD: Final = (
    "no-ops",
    "a second",
    "CPU, ms each",
    "kick-off, s",
    "reading results at the end, s",
    "AWS calls each",
    "write units of the log each",
    "of the read model",
    "kick-off grows by MB",
    "kick-off and reading by",
    "a container has MB",
    "the emulator",
)


def _lag(figures: Figures) -> str:
    lag = figures.lag
    if not lag:
        return "Not measured."
    return (
        f"At {lag['rate']:,.0f} outcomes a second, the oldest outcome that is not counted yet is "
        f"{lag['median']:.2f} s old in the median, and {lag['most']:.2f} s at most."
    )


def _throughput(figures: Figures) -> Mapping[str, list[tuple[float, float]]]:
    return {
        peer: [
            (total, total / median(figures.seconds[f"no_ops_{total}"][peer]))
            for total in NO_OPS
            if peer in figures.seconds.get(f"no_ops_{total}", {})
        ]
        for peer in PEERS
    }


def _ticks(lines: Mapping[str, list[tuple[float, float]]]) -> dict[float, str]:
    rates = [rate for points in lines.values() for _, rate in points]
    low, high = math.floor(math.log10(min(rates))), math.ceil(math.log10(max(rates)))
    return {10**power: f"{10**power:,}/s" for power in range(low, high + 1)}


def _bars(figures: Figures, workloads: Mapping[str, str]) -> dict[str, dict[str, float]]:
    groups = {
        PEERS[peer].title: {
            kind: median(figures.seconds[name][peer])
            for kind, name in workloads.items()
            if peer in figures.seconds.get(name, {})
        }
        for peer in PEERS
    }
    return {name: bars for name, bars in groups.items() if bars}
