"""`background-jobs watch`: follow an orchestration to its end; the exit status says how it ended."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from background_jobs.cli.arguments import AsJsonLines, OrchestrationId, Timeout
from background_jobs.cli.exit_status import ExitStatus
from background_jobs.cli.reporting import on_terminal, print_note, reporting

if TYPE_CHECKING:
    from background_jobs.core.read_model import Summary
    from background_jobs.orchestration_service import Orchestration, Pipeline, Update


class Screen(Protocol):
    """A place that shows updates."""

    def show(self, update: "Update") -> None:
        """Show *update*."""


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
    updates = ((change.orchestration, change.update) for change in pipeline.watch(timeout))
    status = _follow(updates, f"--pipeline {pipeline.id}", as_json=as_json)
    if status in {ExitStatus.TIMED_OUT, ExitStatus.INTERRUPTED}:
        return status
    skipped = [stage for stage in pipeline.stages() if stage.skipped]
    for stage in () if as_json else skipped:
        print_note(f"Stage {stage.number}, {stage.job_name}, was not started: {stage.skipped}")
    return ExitStatus.FOUND if skipped and not status else status


def _follow(updates: "Iterable[tuple[Orchestration, Update]]", arguments: str, *, as_json: bool) -> int:
    """Show *updates*, those of each orchestration on a screen of its own, and return the exit status.

    *arguments* are those of the `watch` and `cancel` that are named when watching stops early.
    """
    summaries: dict[str, Summary] = {}
    try:
        for orchestration, its_updates in groupby(updates, itemgetter(0)):
            with _open_screen(orchestration, as_json=as_json) as screen:
                for _, update in its_updates:
                    summaries[orchestration.id] = update.summary
                    screen.show(update)
    except KeyboardInterrupt:
        rest = _describe_rest(list(summaries.values())[-1]) if summaries else "The work goes on"
        print_note(f"\nStopped watching. {rest}.\n{_describe_commands(arguments)}")
        return ExitStatus.INTERRUPTED
    except TimeoutError as late:
        print_note(f"{late}\n{_describe_commands(arguments)}")
        return ExitStatus.TIMED_OUT
    errored = [orchestration_id for orchestration_id, summary in summaries.items() if summary.errored]
    for orchestration_id in () if as_json else errored:
        print_note(f"See why: background-jobs failures {orchestration_id}")
    return ExitStatus.ERRORED if errored else 0


def _open_screen(orchestration: "Orchestration", *, as_json: bool) -> AbstractContextManager[Screen]:
    if as_json:
        from background_jobs.cli.lines import JsonLines

        return nullcontext(JsonLines())
    if on_terminal():
        from background_jobs.cli.bars import Bars

        return Bars(orchestration)
    from background_jobs.cli.lines import PlainLines

    return nullcontext(PlainLines(orchestration))


def _describe_rest(summary: "Summary") -> str:
    total = summary.total or 0
    final = summary.completed + summary.errored
    return f"{total - final:,} of {total:,} instances have no outcome yet, and go on"


def _describe_commands(arguments: str) -> str:
    return f"Come back: background-jobs watch {arguments}\nEnd it:    background-jobs cancel {arguments}"
