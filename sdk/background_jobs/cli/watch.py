"""`background-jobs watch`: follow an orchestration to its end, and exit with what came of it."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Annotated, Final, Protocol

import typer

from background_jobs.cli.arguments import AsJsonLines, OrchestrationId, Timeout
from background_jobs.cli.reporting import on_terminal, reporting, say

if TYPE_CHECKING:
    from background_jobs.core.fold import Summary
    from background_jobs.orchestration_service import Orchestration, Pipeline, Update

ERRORED: Final = 1
TIMED_OUT: Final = 124
"""As timeout(1) has it."""
INTERRUPTED: Final = 130
"""As shells have it: 128, and the number of SIGINT."""


class Screen(Protocol):
    """Where updates are shown."""

    def tell(self, update: "Update") -> None:
        """Show what changed."""


def watch(
    orchestration_id: OrchestrationId,
    pipeline: Annotated[
        bool, typer.Option("--pipeline", help="Follow all stages of its pipeline, one after the other.")
    ] = False,
    timeout: Timeout = None,
    as_json: AsJsonLines = False,
) -> None:
    """Follow an orchestration to its end.

    Exits with 0 if every instance completed, and with 1 if one errored. Ctrl-C stops watching, not the work.
    """
    with reporting():
        from background_jobs.orchestration_service import OrchestrationService

        orchestration = OrchestrationService().orchestration(orchestration_id)
        raise typer.Exit(
            follow_pipeline(orchestration.pipeline(), timeout, as_json=as_json)
            if pipeline
            else follow(orchestration, timeout, as_json=as_json)
        )


def follow(orchestration: "Orchestration", timeout: timedelta | None = None, *, as_json: bool) -> int:
    """Show an orchestration until its end, and return the exit status."""
    updates = ((orchestration, update) for update in orchestration.watch(timeout))
    return _follow(updates, orchestration.id, as_json=as_json)


def follow_pipeline(pipeline: "Pipeline", timeout: timedelta | None = None, *, as_json: bool) -> int:
    """Show the stages of a pipeline, one after the other, until its end, and return the exit status."""
    updates = ((news.orchestration, news.update) for news in pipeline.watch(timeout))
    status = _follow(updates, f"--pipeline {pipeline.id}", as_json=as_json)
    if status in {TIMED_OUT, INTERRUPTED}:
        return status
    skipped = [stage for stage in pipeline.stages() if stage.skipped]
    for stage in () if as_json else skipped:
        say(f"Stage {stage.number}, {stage.job_name}, was not started: {stage.skipped}")
    return ERRORED if skipped else status


def _follow(updates: "Iterable[tuple[Orchestration, Update]]", named: str, *, as_json: bool) -> int:
    """Show *updates*, those of each orchestration on a screen of its own, and return the exit status.

    *named* is what the commands take that go on with it.
    """
    summaries: dict[str, Summary] = {}
    try:
        for orchestration, its_updates in groupby(updates, itemgetter(0)):
            with _screen(orchestration, as_json=as_json) as screen:
                for _, update in its_updates:
                    summaries[orchestration.id] = update.summary
                    screen.tell(update)
    except KeyboardInterrupt:
        left = _left(list(summaries.values())[-1]) if summaries else "The work goes on"
        say(f"\nStopped watching. {left}.\n{_ways_on(named)}")
        return INTERRUPTED
    except TimeoutError as late:
        say(f"{late}\n{_ways_on(named)}")
        return TIMED_OUT
    errored = [orchestration_id for orchestration_id, summary in summaries.items() if summary.errored]
    for orchestration_id in () if as_json else errored:
        say(f"See why: background-jobs failures {orchestration_id}")
    return ERRORED if errored else 0


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


def _ways_on(named: str) -> str:
    return f"Come back: background-jobs watch {named}\nEnd it:    background-jobs cancel {named}"
