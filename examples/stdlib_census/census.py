"""A census of the Python standard library on this machine: one job instance for each of its files.

background-jobs local run --jobs examples/stdlib_census/jobs.py -- python examples/stdlib_census/census.py
"""

import os
import random
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

from completion_inbox import CompletionInbox
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from background_jobs import Failure, Orchestration, OrchestrationService, Success

console = Console()


def main() -> None:
    """Kick off the census, watch it, and show what came of it."""
    root = Path(sysconfig.get_path("stdlib"))
    service = OrchestrationService()
    with CompletionInbox() as inbox:
        console.print(f"Census of the Python standard library in {root}")
        began = time.monotonic()
        orchestration = service.kick_off_job(
            "census",
            ({"path": path, "root": str(root)} for path in _paths(root)),
            parallelism=max(2, os.cpu_count() or 1),
            tags={"customer": "demo"},
        )
        console.print(f"Kicked off orchestration {orchestration.id}\n")
        _show_progress(orchestration)
        successes, failures = service.get_job_results(orchestration.id)
        seconds = time.monotonic() - began
        _show_results(successes)
        _show_failures(failures or [])
        event = inbox.completion_of(orchestration.id, timeout=60)
    total, errored = len(successes) + len(failures or []), len(failures or [])
    console.print(f"\n{total} instances in {seconds:.1f} s, {total / seconds:.0f} a second.")
    console.print(f"The bus delivered JobCompletedEvent {event.event_id}: {event.outcome}, tags {event.tags}")
    _say_what_next()
    counts = f"{total} instances, {len(successes)} completed, {errored} errored"
    print(f"demo: ok: {counts}, JobCompletedEvent received")


def _paths(root: Path) -> Iterator[str]:
    """Yield the files in no order, so that every share weighs about the same."""
    paths = sorted(
        str(path.relative_to(root)) for path in root.rglob("*.py") if "site-packages" not in path.parts
    )
    random.Random(0).shuffle(paths)  # noqa: S311 -- the same order each time
    yield from paths


def _show_progress(orchestration: Orchestration) -> None:
    columns = (
        TextColumn("census"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("[red]{task.fields[errored]} errored"),
        TimeRemainingColumn(),
    )
    shown = 0.0
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("census", total=None, errored=0)
        for update in orchestration.watch():
            summary = update.summary
            final = summary.completed + summary.errored
            progress.update(task, total=summary.total, completed=final, errored=summary.errored)
            if not console.is_terminal and (time.monotonic() - shown >= 1 or summary.all_final):
                shown = time.monotonic()
                console.print(f"  {final} of {summary.total or '?'} done, {summary.errored} errored")


def _show_results(successes: list[Success]) -> None:
    table = Table(title="The ten most complex files", title_justify="left")
    for column in ("file", "lines", "functions", "classes", "complexity", "most complex function"):
        table.add_column(column, justify="left" if column in ("file", "most complex function") else "right")
    numbers = ("lines", "functions", "classes", "complexity")
    for success in sorted(successes, key=lambda one: -one.result["complexity"])[:10]:
        result = success.result
        table.add_row(
            success.params["path"],
            *(f"{result[name]:,}" for name in numbers),
            f"{result['most_complex']} ({result['most_complex_branches']} branches)",
        )
    table.add_section()
    totals = [f"{sum(success.result[name] for success in successes):,}" for name in numbers]
    table.add_row(f"all {len(successes):,} files", *totals, "")
    console.print(table)


def _show_failures(failures: list[Failure]) -> None:
    table = Table(title=f"{len(failures)} failures, with the params that caused them", title_justify="left")
    for column in ("index", "params", "error"):
        table.add_column(column, overflow="fold")
    for failure in failures[:15]:
        error = f"{failure.error.type}: {failure.error.message}"
        table.add_row(str(failure.index), failure.params["path"], error)
    if failures:
        console.print(table)
    if len(failures) > 15:  # noqa: PLR2004 -- what fits on a screen
        console.print(f"... and {len(failures) - 15} more")


def _say_what_next() -> None:
    console.print(
        "\nTry next:\n"
        "  make bench                        how fast it is on this machine\n"
        "  background-jobs local up --help   a stack that stays\n"
        "  README.md                         your own job, in your own repository, in ten lines\n"
    )


if __name__ == "__main__":
    main()
