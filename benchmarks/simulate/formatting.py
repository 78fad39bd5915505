"""Tables in Markdown, and times and prices as people read them."""

from collections.abc import Iterable, Sequence


def format_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def format_seconds(seconds: float) -> str:
    """Return a span for reading.

    >>> [format_seconds(seconds) for seconds in (2.34, 83.1, 1_484, 15_345)]
    ['2.3 s', '83 s', '24:44 min', '4:15:45 h']
    """
    if seconds < 10:  # noqa: PLR2004 -- two digits are enough
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if round(seconds) < 600:  # noqa: PLR2004 -- so far, seconds are read at a glance
        return f"{round(seconds)} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"


def format_dollars(dollars: float) -> str:
    """Return a price in at least two digits.

    >>> [format_dollars(dollars) for dollars in (0.00412, 0.0996, 12.487)]
    ['$0.0041', '$0.10', '$12.49']
    """
    return f"${dollars:.2f}" if dollars >= 0.0995 or not dollars else f"${dollars:.2g}"  # noqa: PLR2004 -- two digits
