"""Write the tables and the charts of docs/simulation.md: `make simulate`."""

from pathlib import Path
from typing import Final

from benchmarks.generated_parts import put_part
from benchmarks.simulate.line_chart import draw_chart
from benchmarks.simulate.tables import PARALLELISMS, TABLES, compare, vary_parallelism

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "simulation.md"
IMAGES: Final = DOCUMENT.with_name("images")
_LONG: Final[dict[float, str]] = {60: "1 min", 600: "10 min", 3_600: "1 h", 36_000: "10 h"}
_SHORT: Final[dict[float, str]] = {1: "1 s", 10: "10 s"}


def main() -> None:
    """Simulate everything and write it down."""
    text = DOCUMENT.read_text()
    for name, table in TABLES.items():
        text = put_part(text, name, table())
    DOCUMENT.write_text(text)
    (IMAGES / "simulation-sizes.svg").write_text(draw_sizes())
    (IMAGES / "simulation-parallelism.svg").write_text(draw_parallelism())


def draw_sizes() -> str:
    """Return the chart of the time that instances of a second take, by their number."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for total in (100, 1_000, 10_000, 100_000, 1_000_000):
        for name, result in compare(total, 1.0).items():
            if result and name != "ours, fixed shares":  # the line of Batch
                lines.setdefault(name, []).append((total, result.makespan))
    return draw_chart(
        "From kick-off to the end, instances of 1 s in the mean",
        lines,
        across="instances; 100 containers, or a task each, or 1,000 functions",
        y_ticks=_SHORT | _LONG,
    )


def draw_parallelism() -> str:
    """Return the chart of the time that ten thousand instances take, by the number of containers."""
    lines = {
        name: [(count, vary_parallelism(count)[moves].makespan) for count in PARALLELISMS]
        for moves, name in enumerate(("fixed shares", "work moves"))
    }
    lines["least possible"] = [(count, vary_parallelism(count)[1].bound) for count in PARALLELISMS]
    return draw_chart("10,000 uneven instances of 5 s in the mean", lines, across="containers", y_ticks=_LONG)


if __name__ == "__main__":
    main()
