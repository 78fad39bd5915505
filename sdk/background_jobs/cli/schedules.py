"""`background-jobs schedule`: jobs by the clock."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Unpack

import typer

from background_jobs.cli.arguments import AsJson, AsJsonLines, JobName
from background_jobs.cli.exit_status import ExitStatus
from background_jobs.cli.options import take_options
from background_jobs.cli.params_file import Format, ParamsFile
from background_jobs.cli.reporting import (
    on_terminal,
    out,
    print_fields,
    print_json,
    print_note,
    print_row,
    reporting,
)
from background_jobs.cli.times import parse_duration, parse_zoned_time
from background_jobs.cli.untrusted import printable
from background_jobs.core.wording import count_of

if TYPE_CHECKING:
    from background_jobs.core.options import OccurrenceKeywords
    from background_jobs.core.schedules.occurrences import ScheduleRun
    from background_jobs.core.views.schedule import BackfillPreview, ScheduleView
    from background_jobs.orchestration_service import OrchestrationService, Schedule

app = typer.Typer(help="Kick off jobs by the clock.", no_args_is_help=True)


Overlap = Literal["skip", "queue", "allow"]
"""The values of the enumeration in `core.schedules`, which takes long to import."""
Name = Annotated[str, typer.Argument(metavar="SCHEDULE", help="The schedule's name.")]


@app.command()
@take_options("schedule create")
def create(  # noqa: PLR0913, PLR0917 -- the options of a schedule
    name: Name,
    job: JobName,
    params: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Params, one JSON object a line; - for standard input. By default {}, once."
        ),
    ] = None,
    cron: Annotated[
        str | None, typer.Option(metavar="CRON", help="Five fields, or the six of EventBridge Scheduler.")
    ] = None,
    every: Annotated[
        timedelta | None, typer.Option(parser=parse_duration, metavar="DURATION", help="90m, 6h, 1d.")
    ] = None,
    at: Annotated[
        datetime | None, typer.Option(parser=parse_zoned_time, metavar="TIME", help="Once, then.")
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(metavar="NAME", help="The zone of --cron. [default: UTC]")
    ] = None,
    start: Annotated[
        datetime | None,
        typer.Option(
            parser=parse_zoned_time, metavar="TIME", help="Not before then; --every counts from it."
        ),
    ] = None,
    end: Annotated[
        datetime | None, typer.Option(parser=parse_zoned_time, metavar="TIME", help="Only before then.")
    ] = None,
    overlap: Annotated[Overlap, typer.Option(help="While the run before is in progress.")] = "skip",
    jitter: Annotated[
        timedelta | None,
        typer.Option(parser=parse_duration, metavar="DURATION", help="How long after its time it may come."),
    ] = None,
    as_json: AsJson = False,
    **options: Unpack["OccurrenceKeywords"],
) -> None:
    """Schedule a job under a name; the same name again redefines it."""
    with reporting():
        schedule = _service().schedule_job(
            name,
            job,
            [{}] if params is None else ParamsFile(params, Format.JSONL),
            cron=cron,
            every=every,
            at=at,
            timezone=timezone,
            start=start,
            end=end,
            overlap=overlap,
            jitter=jitter or timedelta(),
            **options,
        )
        _print_schedule(schedule.view(), as_json=as_json)


@app.command("list")
def list_schedules(as_json: AsJsonLines = False) -> None:
    """List all schedules."""
    with reporting():
        views = [schedule.view() for schedule in _service().schedules()]
    if as_json:
        for view in views:
            print_json(view)
        return
    if on_terminal():
        _draw_schedules(views)
    for view in () if on_terminal() else views:
        print_row(view.name, view.state, view.job_name, view.due, next(iter(view.next_runs), None))
    if not views:
        print_note("There are no schedules. `background-jobs schedule create` makes one.")


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show a schedule, and when it is due next."""
    with reporting():
        _print_schedule(_schedule(name).view(), as_json=as_json)


@app.command()
def pause(name: Name, as_json: AsJson = False) -> None:
    """Make nothing due until the schedule is resumed."""
    with reporting():
        schedule = _schedule(name)
        schedule.pause()
        _print_schedule(schedule.view(), as_json=as_json)


@app.command()
def resume(name: Name, as_json: AsJson = False) -> None:
    """Go on after a pause."""
    with reporting():
        schedule = _schedule(name)
        schedule.resume()
        _print_schedule(schedule.view(), as_json=as_json)


@app.command()
def delete(name: Name) -> None:
    """Delete a schedule and empty its queue; its history stays."""
    with reporting():
        _schedule(name).delete()


@app.command("run-now")
def run_now(
    name: Name,
    force: Annotated[bool, typer.Option("--force", help="Also beside a run in progress.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run the job now, as if it were due; exit with 4 if it was skipped."""
    with reporting():
        from background_jobs.core.schedules.occurrences import RunState

        run = _schedule(name).run_now(force=force)
    if as_json:
        print_json(run)
    else:
        _print_runs([run])
    if run.state is RunState.SKIPPED:
        raise typer.Exit(ExitStatus.FOUND)


@app.command()
def runs(
    name: Name,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="How many at most.")] = 20,
    as_json: AsJsonLines = False,
) -> None:
    """List what became of the last occurrences, newest first."""
    with reporting():
        latest = _schedule(name).runs(limit)
    _print_runs(latest, as_json=as_json)


@app.command()
def backfill(  # noqa: PLR0913, PLR0917 -- the options of a backfill
    name: Name,
    from_: Annotated[datetime, typer.Argument(parser=parse_zoned_time, metavar="FROM", help="From then on.")],
    to: Annotated[datetime, typer.Argument(parser=parse_zoned_time, metavar="TO", help="Before then.")],
    overlap: Annotated[Overlap | None, typer.Option(help="In place of the schedule's own.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the occurrences that would run, and start nothing.")
    ] = False,
    as_json: AsJsonLines = False,
) -> None:
    """Run the occurrences between two times that did not run."""
    with reporting():
        schedule = _schedule(name)
        if dry_run:
            _print_due(schedule.preview_backfill(from_, to), as_json=as_json)
            return
        started = schedule.backfill(from_, to, overlap=overlap)
    _print_runs(started, as_json=as_json)


def _print_due(preview: "BackfillPreview", *, as_json: bool) -> None:
    if as_json:
        print_json(preview)
        return
    for at in preview.occurrences:
        print_row(at)
    ran = f"; {count_of(preview.ran, 'other')} ran already" if preview.ran else ""
    print_note(f"{count_of(len(preview.occurrences), 'occurrence')} would run{ran}.")


def _service() -> "OrchestrationService":
    from background_jobs.orchestration_service import OrchestrationService

    return OrchestrationService()


def _schedule(name: str) -> "Schedule":
    return _service().schedule(name)


def _print_schedule(view: "ScheduleView", *, as_json: bool) -> None:
    if as_json:
        print_json(view)
        return
    if not on_terminal():
        print_fields(view)
        return
    from rich.text import Text

    from background_jobs.cli import drawing

    fields = view.model_dump(mode="json", exclude={"first_params", "next_runs"})
    present = {name: value for name, value in fields.items() if value not in (None, {}, [])}
    rows = [(name.replace("_", " "), _text(value)) for name, value in present.items()]
    rows += [("params", json.dumps(params, ensure_ascii=False)) for params in view.first_params]
    rows += [("next", drawing.format_zoned_time(at)) for at in view.next_runs]
    out().print(drawing.grid((Text(name, "dim"), printable(text)) for name, text in rows))


def _print_runs(schedule_runs: "Sequence[ScheduleRun]", *, as_json: bool = False) -> None:
    if as_json:
        for run in schedule_runs:
            print_json(run)
        return
    if on_terminal():
        _draw_runs(schedule_runs)
    for run in () if on_terminal() else schedule_runs:
        print_row(run.scheduled_at, run.state, run.status, run.orchestration_id or run.reason)
    if not schedule_runs:
        print_note("There are no occurrences.")


def _draw_runs(schedule_runs: "Sequence[ScheduleRun]") -> None:
    from background_jobs.cli import drawing

    short = drawing.short_ids([run.orchestration_id for run in schedule_runs if run.orchestration_id])
    rows = [
        (
            drawing.format_zoned_time(run.scheduled_at.astimezone()),
            run.state,
            run.status or "",
            short[run.orchestration_id] if run.orchestration_id else run.reason,
        )
        for run in schedule_runs
    ]
    last = "ORCHESTRATION, OR WHY NONE"
    table = drawing.fitting_table(
        ("DUE", "STATE", "STATUS", last),
        rows,
        out().width,
        flexible={last: 10},
        droppable=("STATUS", "STATE"),
    )
    if rows:
        out().print(table)


def _draw_schedules(views: "Sequence[ScheduleView]") -> None:
    from background_jobs.cli import drawing

    rows = [
        (
            view.name,
            view.state,
            view.job_name,
            view.due,
            drawing.format_zoned_time(view.next_runs[0]) if view.next_runs else "",
        )
        for view in views
    ]
    table = drawing.fitting_table(
        ("NAME", "STATE", "JOB", "DUE", "NEXT"),
        rows,
        out().width,
        flexible={"NAME": 8, "JOB": 8, "DUE": 12},
        droppable=("DUE", "JOB", "NEXT"),
    )
    if rows:
        out().print(table)


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={text}" for name, text in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)
