"""A census of the Python standard library on this machine: one job instance for each of its files.

background-jobs local run --jobs examples/stdlib_census/jobs.py -- python examples/stdlib_census/census.py

On a terminal it keeps the console until Enter is pressed, or with --no-wait it does not.
"""

import json
import random
import shlex
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

from completion_inbox import CompletionInbox
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from background_jobs import Failure, Orchestration, OrchestrationService, Settings, Success

console = Console()
_SHOWN = 15


def main() -> None:
    """Kick off the census, watch it, and show its results."""
    root = Path(sysconfig.get_path("stdlib"))
    service = OrchestrationService()
    with CompletionInbox() as inbox:
        console.print(f"Census of the Python standard library in {root}")
        began = time.monotonic()
        orchestration = service.kick_off_job(
            "census",
            ({"path": path, "root": str(root)} for path in _paths(root)),
            tags={"customer": "demo"},
        )
        console.print(f"Kicked off orchestration {orchestration.id}")
        console.print(f"Watch it in the console: {_console_url(orchestration)}\n", soft_wrap=True)
        _show_progress(orchestration)
        successes, failures = service.get_job_results(orchestration.id)
        seconds = time.monotonic() - began
        _show_results(successes)
        _show_failures(failures or [])
        event = inbox.wait_for_completion(orchestration.id, timeout=60)
    total, errored = len(successes) + len(failures or []), len(failures or [])
    console.print(f"\n{total} instances in {seconds:.1f} s, {total / seconds:.0f} a second.")
    console.print(f"JobCompletedEvent {event.event_id} came over the bus:")
    console.print(
        f"outcome {event.outcome}, {event.completed} completed, {event.errored} errored, tags {event.tags}"
    )
    _print_what_happened(orchestration)
    _print_next_steps(root, _paths(root))
    counts = f"{total} instances, {len(successes)} completed, {errored} errored"
    print(f"demo: ok: {counts}, JobCompletedEvent received")
    if console.is_terminal and sys.stdin.isatty() and "--no-wait" not in sys.argv[1:]:
        console.print(
            f"\nThe console stays until you press Enter: {_console_url(orchestration)}", soft_wrap=True
        )
        input()


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
    last_shown = 0.0
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("census", total=None, errored=0)
        for update in orchestration.watch():
            summary = update.summary
            final = summary.completed + summary.errored
            progress.update(task, total=summary.total, completed=final, errored=summary.errored)
            if not console.is_terminal and (time.monotonic() - last_shown >= 1 or summary.all_final):
                last_shown = time.monotonic()
                console.print(f"  {final} of {summary.total or '?'} done, {summary.errored} errored")


def _show_results(successes: list[Success]) -> None:
    table = Table(title="The ten most complex files", title_justify="left")
    table.add_column("file", overflow="fold")
    for name in ("lines", "functions", "complexity"):
        table.add_column(name, justify="right")
    table.add_column("most branches in", overflow="fold")
    for success in sorted(successes, key=lambda success: -success.result["complexity"])[:10]:
        result = success.result
        branches = f"{result['most_complex']}: {result['most_complex_branches']}"
        table.add_row(success.params["path"], *_numbers([success]), branches)
    table.add_section()
    table.add_row(f"all {len(successes):,}", *_numbers(successes))
    console.print(table)


def _numbers(successes: list[Success]) -> list[str]:
    names = ("lines", "functions", "complexity")
    return [f"{sum(success.result[name] for success in successes):,}" for name in names]


def _show_failures(failures: list[Failure]) -> None:
    if not failures:
        return
    table = Table(title=f"{len(failures)} failures, with the params that caused them", title_justify="left")
    for column in ("index", "params", "error"):
        table.add_column(column, overflow="fold")
    for failure in failures[:_SHOWN]:
        error = Text(f"{failure.error.type}: {failure.error.message}")
        table.add_row(str(failure.index), Text(failure.params["path"]), error)
    console.print(table)
    if len(failures) > _SHOWN:
        console.print(f"... and {len(failures) - _SHOWN} more")


def _console_url(orchestration: Orchestration) -> str:
    return f"{Settings.from_env().api_url}/#/orchestrations/{orchestration.id}"


def _print_what_happened(orchestration: Orchestration) -> None:
    """Name what took part, as it is called on AWS; the offline stack has each of these."""
    history, total = orchestration.event_history(), orchestration.summary().total or 0
    console.print(
        f"\nWhat just happened, in the terms of AWS:\n"
        f"  S3                {total:,} params in one object, their shares in another\n"
        f"  DynamoDB          one transaction kicked it off; the event log has each outcome\n"
        f"  Step Functions    a Distributed Map launched a container for each share\n"
        f"  ECS on Fargate    {history.containers:,} tasks ran the job; here they are processes\n"
        f"  DynamoDB Streams  invoked the Lambda function that folds the log\n"
        f"  EventBridge       carried the JobCompletedEvent to this script's SQS queue\n"
        f"  API Gateway       served the progress and the console"
    )


def _print_next_steps(root: Path, paths: Iterator[str]) -> None:
    """Print commands that work as they are in the shell from which this was started."""
    command = Path(sys.executable).with_name("background-jobs")
    jobs = Path(__file__).with_name("jobs.py")
    params = json.dumps({"path": next(paths), "root": str(root)})
    console.print(
        "\nTry next, in this shell:\n\n"
        f"# a stack that stays, and the settings for it\n"
        f'eval "$({shlex.quote(_short(command))} local up --jobs {shlex.quote(_short(jobs))})"\n'
        f"# one instance, and what came of it\n"
        f"echo {shlex.quote(params)} | {shlex.quote(_short(command))} kick-off census --watch\n"
        f"{shlex.quote(_short(command))} results -\n"
        f"{shlex.quote(_short(command))} open -\n"
        f"# and its end\n"
        f"{shlex.quote(_short(command))} local down\n",
        soft_wrap=True,
        markup=False,
        highlight=False,
    )


def _short(path: Path) -> str:
    """Return *path* as it is typed from the current folder, where it lies below that."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


if __name__ == "__main__":
    main()
