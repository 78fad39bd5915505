"""Watching on a terminal: bars that move in place, and above them why instances errored."""

import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.table import Table
from rich.text import Text

from background_jobs.cli import drawing
from background_jobs.cli.failure_reporter import FailureReporter
from background_jobs.cli.reporting import out
from background_jobs.core.statuses import is_running
from background_jobs.core.views.orchestration import OrchestrationView
from background_jobs.orchestration_service import Orchestration, Update

if TYPE_CHECKING:
    from background_jobs.core.read_model import Advance, Summary

_INSTANCES: Final = 5
"""How many running instances are drawn one by one."""


_WITH_MESSAGES: Final = 60
"""A narrower terminal has no room for what instances say."""


class Bars:
    """Shows updates on a terminal, within a `with` block."""

    def __init__(self, orchestration: Orchestration) -> None:
        self._failures = FailureReporter(orchestration)
        self._picture = Picture(orchestration)
        self._live = Live(self._picture, console=out(), refresh_per_second=8)

    def show(self, update: Update) -> None:
        """Draw the counts of all instances, and print why instances errored."""
        for failure in self._failures.select(update):
            line = drawing.one_line(f"#{failure.index} {failure.error.type}: {failure.error.message}")
            line.stylize("red", 0, len(f"#{failure.index}"))
            self._live.console.print(line)
        self._picture.update(update)

    def __enter__(self) -> Self:
        # The cursor of the terminal is hidden meanwhile, and must come back even if SIGTERM ends the process.
        signal.signal(signal.SIGTERM, self._terminate)
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _terminate(self, number: int, _frame: object) -> None:
        # It may come before `start` has returned, so that `__exit__` is not called.
        self._live.console.show_cursor()
        sys.exit(128 + number)


class Picture:
    """Draws how an orchestration stands at the time of drawing, so that its times go on by themselves."""

    def __init__(self, orchestration: Orchestration) -> None:
        self._headline = drawing.headline(orchestration.job_name, orchestration.id)
        self._summary: Summary | None = None
        self._advances: dict[int, Advance] = {}

    def update(self, update: Update) -> None:
        """Take in *update*."""
        stopped = {transition.index for transition in update.transitions if not is_running(transition.rank)}
        advances = self._advances | {advance.index: advance for advance in update.advances}
        # The dictionary is replaced, never changed, because another thread draws it.
        self._advances = {index: advance for index, advance in advances.items() if index not in stopped}
        self._summary = update.summary

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._summary is None:
            return
        now = datetime.now(UTC)
        view = OrchestrationView.of(self._summary, now)
        yield self._headline
        yield drawing.ProgressSummary(view, now)
        if advances := self._advances:
            yield ""
            yield from _draw_instances(advances, view.counts.running, options)


def _draw_instances(advances: "Mapping[int, Advance]", running: int, options: ConsoleOptions) -> RenderResult:
    has_room = options.max_width >= _WITH_MESSAGES
    table = Table.grid(padding=(0, 2))
    for index in sorted(advances)[:_INSTANCES]:
        advance = advances[index]
        message = [drawing.one_line(advance.message)] if has_room else []
        gauge = drawing.gauge(advance.percent, ascii_only=options.ascii_only)
        table.add_row(f"#{index}", gauge, f"{advance.percent:>3} %", *message)
    yield table
    if (others := running - table.row_count) > 0:
        yield Text(f"and {others:,} more that run", "dim")
