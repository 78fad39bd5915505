"""Orchestrations and outcomes as HTML for notebooks: bounded, and with every text escaped."""

from collections.abc import Sequence
from html import escape
from itertools import islice
from typing import Final

from background_jobs.core.brief import brief
from background_jobs.core.outcomes import Failure, Success
from background_jobs.core.payloads import bounded
from background_jobs.core.views.html_tables import ROWS, table, titled_table
from background_jobs.core.views.orchestration import OrchestrationView
from background_jobs.core.wording import count_of

_CHARACTERS: Final = 300
"""What a cell shows of an error's message."""


def orchestration_html(view: OrchestrationView, console_url: str) -> str:
    """Return an orchestration at a glance; *console_url* leads to its page, unless it is empty."""
    counts = view.counts
    final = counts.completed + counts.errored
    name = f"<code>{escape(view.orchestration_id)}</code>"
    if console_url:
        url = f"{console_url}#/orchestrations/{view.orchestration_id}"
        name = f'<a href="{escape(url)}" target="_blank" rel="noopener">{name}</a>'
    cells = (
        ("status", view.status.value),
        *((state, f"{getattr(counts, state):,}") for state in ("waiting", "running", "completed", "errored")),
    )
    bar = f'<progress max="{max(1, view.total)}" value="{final if view.total else 1}"></progress>'
    return (
        f"<div><strong>{escape(view.job_name)}</strong> {name}<br>"
        f"{bar} {final:,} of {count_of(view.total, 'instance')}"
        f"{table([heading for heading, _ in cells], [[value for _, value in cells]])}</div>"
    )


def successes_html(successes: Sequence[Success]) -> str:
    """Return the first of the results as a table."""
    rows = [[f"{one.index:,}", brief(one.params), brief(one.result_json)] for one in islice(successes, ROWS)]
    return _titled(f"{len(successes):,} completed", len(successes), rows, "result")


def failures_html(failures: Sequence[Failure]) -> str:
    """Return the first of the failures as a table."""
    rows = [
        [f"{one.index:,}", brief(one.params), bounded(f"{one.error.type}: {one.error.message}", _CHARACTERS)]
        for one in islice(failures, ROWS)
    ]
    return _titled(f"{len(failures):,} errored", len(failures), rows, "error")


def _titled(title: str, count: int, rows: Sequence[Sequence[str]], last: str) -> str:
    return titled_table(title, table(["index", "params", last], rows), count - len(rows), "instance")
