"""Tables in Markdown."""

from collections.abc import Iterable


def write_table(names: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table of *rows*, whose columns have *names*."""
    head = list(names)
    lines = [head, ["---"] * len(head), *(list(row) for row in rows)]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
