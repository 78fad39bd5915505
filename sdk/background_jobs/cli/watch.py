"""`background-jobs watch`: follow an orchestration to its end, and exit with what came of it."""

from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

import typer

from background_jobs.cli.arguments import AsJsonLines, OrchestrationId, Timeout
from background_jobs.cli.reporting import on_terminal, reporting, say

if TYPE_CHECKING:
    from background_jobs.core.fold import Summary
    from background_jobs.orchestration_service import Orchestration, Update

ERRORED: Final = 1
TIMED_OUT: Final = 124
"""As timeout(1) has it."""
INTERRUPTED: Final = 130
"""As shells have it: 128, and the number of SIGINT."""


class Screen(Protocol):
    """Where updates are shown."""

    def tell(self, update: "Update") -> None:
        """Show what changed."""


def watch(orchestration_id: OrchestrationId, timeout: Timeout = None, as_json: AsJsonLines = False) -> None:
    """Follow an orchestration to its end.

    Exits with 0 if every instance completed, and with 1 if one errored. Ctrl-C stops watching, not the work.
    """
    with reporting():
        from background_jobs.orchestration_service import OrchestrationService

        orchestration = OrchestrationService().orchestration(orchestration_id)
        raise typer.Exit(follow(orchestration, timeout, as_json=as_json))


def follow(orchestration: "Orchestration", timeout: timedelta | None = None, *, as_json: bool) -> int:
    """Show an orchestration until its end, and return the exit status."""
    summary: Summary | None = None
    try:
        with _screen(orchestration, as_json=as_json) as screen:
            for update in orchestration.watch(timeout):
                summary = update.summary
                screen.tell(update)
    except KeyboardInterrupt:
        left = "The work goes on" if summary is None else _left(summary)
        say(f"\nStopped watching. {left}.\n{_ways_on(orchestration.id)}")
        return INTERRUPTED
    except TimeoutError as late:
        say(f"{late}\n{_ways_on(orchestration.id)}")
        return TIMED_OUT
    if summary is None or not summary.errored:
        return 0
    if not as_json:
        say(f"See why: background-jobs failures {orchestration.id}")
    return ERRORED


def _screen(orchestration: "Orchestration", *, as_json: bool) -> AbstractContextManager[Screen]:
    if as_json:
        from background_jobs.cli.lines import JsonLines

        return nullcontext(JsonLines())
    if on_terminal():
        from background_jobs.cli.bars import Bars

        return Bars(orchestration)
    from background_jobs.cli.lines import PlainLines

    return nullcontext(PlainLines(orchestration))


def _left(summary: "Summary") -> str:
    total = summary.total or 0
    final = summary.completed + summary.errored
    return f"{total - final:,} of {total:,} instances have no outcome yet, and go on"


def _ways_on(orchestration_id: str) -> str:
    return (
        f"Come back: background-jobs watch {orchestration_id}\n"
        f"End it:    background-jobs cancel {orchestration_id}"
    )
