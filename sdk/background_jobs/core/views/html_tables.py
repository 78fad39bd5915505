"""Tables as HTML, in which every text is escaped."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from background_jobs.core.wording import count_of

ROWS: Final = 10
"""The rows that a table shows; below it says how many there are besides."""


def titled_table(title: str, table: str, left: int, thing: str) -> str:
    """Return *table* under a title, and above the note that *left* further ones of *thing* are not in it."""
    more = f"<p>and {count_of(left, f'further {thing}')}</p>" if left > 0 else ""
    return f"<div><strong>{escape(title)}</strong>{table}{more}</div>"


def table(headings: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of texts."""
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in headings)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
