"""`background-jobs kick-off`: start one job instance for each of the params in a file."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Unpack

import typer

from background_jobs.cli.arguments import AsJson, JobName
from background_jobs.cli.exit_status import ExitStatus
from background_jobs.cli.last_kick_off import remember_kick_off
from background_jobs.cli.options import take_options
from background_jobs.cli.param_option import read_params
from background_jobs.cli.params_file import STANDARD_INPUT, Format, InvalidParamsFile, ParamsFile
from background_jobs.cli.reporting import print_error, print_json, print_line, print_note, reporting
from background_jobs.cli.untrusted import printable, printable_json
from background_jobs.cli.watch import follow, follow_pipeline
from background_jobs.core.limits import PREVIEW_CHECKED
from background_jobs.core.wording import count_of

if TYPE_CHECKING:
    from background_jobs.core.options import KickOffKeywords
    from background_jobs.orchestration_service import Orchestration, OrchestrationService


@take_options("kick-off")
def kick_off(  # noqa: PLR0913, PLR0917 -- the options of a kick-off
    job_name: JobName,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="The params: .jsonl, .json (an array) or .csv (with a header row); - for standard input.",
            show_default=False,
        ),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="A param of one instance, instead of FILE; may be repeated. Types are those of the job.",
        ),
    ] = None,
    written_as: Annotated[
        Format | None,
        typer.Option("--format", help="How the params are written, where the name of FILE does not tell."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Hold the params to what the job has published of them, and start nothing."
        ),
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on watching it, as `watch` does.")] = False,
    as_json: AsJson = False,
    **options: Unpack["KickOffKeywords"],
) -> None:
    """Kick off a job, with one instance for each of the params.

    Prints the id of the orchestration. Nothing is started if one of the params is refused.
    """
    if param and file is not None:
        raise typer.BadParameter("Give a FILE or --param, one of the two.")
    if dry_run and watch:
        raise typer.BadParameter("Give --dry-run or --watch, one of the two.")
    if file is None and not param and (sys.stdin is None or sys.stdin.isatty()):
        raise typer.BadParameter("Name a FILE of params, or pipe them in: echo '{}' | background-jobs ...")
    with reporting():
        from background_jobs.core.views.orchestration import KickOffAnswer
        from background_jobs.orchestration_service import OrchestrationService

        service = OrchestrationService()
        params: list[Any] | ParamsFile
        if param:
            params = [read_params(service.job(job_name, options.get("service")), param)]
        else:
            params = ParamsFile(file or STANDARD_INPUT, written_as)
        with _naming_place(params):
            if dry_run:
                raise typer.Exit(_preview(service, job_name, params, options, as_json=as_json))
            orchestration = service.kick_off_job(job_name, params, **options)
        remember_kick_off(orchestration.id)
        if watch:
            raise typer.Exit(
                follow_pipeline(orchestration.pipeline(), as_json=as_json)
                if options.get("then")
                else follow(orchestration, as_json=as_json)
            )
    if as_json:
        print_json(KickOffAnswer(orchestration_id=orchestration.id, job_name=orchestration.job_name))
    else:
        announce(orchestration)


def _preview(
    service: "OrchestrationService",
    job_name: str,
    params: Iterable[Any],
    options: "KickOffKeywords",
    *,
    as_json: bool,
) -> int:
    """Print what a kick-off would run, and what is wrong with its params; return the exit status.

    Raises InvalidParams for what a kick-off refuses.
    """
    from background_jobs.core.params_schema import find_unknown, read_texts
    from background_jobs.core.typed_params import write_params
    from background_jobs.orchestration_service.jobs import explain_problem

    job = service.job(job_name, options.get("service"))
    unknown: Counter[str] = Counter()
    is_text = isinstance(params, ParamsFile) and params.is_csv

    def check() -> Iterator[Any]:
        for index, one in enumerate(params):
            write_params(index, one, None)
            unknown.update(find_unknown(job.params_schema, one) if index < PREVIEW_CHECKED else ())
            # Typed params convert the texts of CSV.
            yield read_texts(job.params_schema, one) if is_text else one

    preview = service.preview_kick_off(job, check(), **options)
    if as_json:
        print_json(preview)
    else:
        print_line(
            f"{count_of(preview.instances, 'instance')} of {preview.job_name} would run in "
            f"{count_of(preview.containers, 'container')}, up to {preview.instances_per_container:,} in each"
        )
        for index, shown in enumerate(preview.first_params):
            print_line(f"#{index} {printable_json(shown)}")
        for problem in preview.problems:
            print_error(f"#{problem.index} does not fit: {printable(explain_problem(problem))}")
    for name, count in unknown.items():
        print_note(f"{printable(job.name)} has no param {name!r}, which is in {count_of(count, 'instance')}.")
    return ExitStatus.FOUND if preview.problems else 0


@contextmanager
def _naming_place(params: list[Any] | ParamsFile) -> Iterator[None]:
    """Let the refusal of params name their place in the file that they are from."""
    from background_jobs.core.errors import InvalidParams

    try:
        yield
    except InvalidParams as refused:
        if not isinstance(params, ParamsFile):
            raise
        raise InvalidParamsFile(params.place, refused.reason) from refused


def announce(orchestration: "Orchestration") -> None:
    """Print the id of an orchestration that was kicked off, and tell people how to go on."""
    summary = orchestration.summary()
    instances = count_of(summary.total or 0, "instance")
    print_note(f"Kicked off {orchestration.job_name} with {instances}:")
    print_line(orchestration.id)
    print_note(
        f"Watch it: background-jobs watch {'--pipeline ' if summary.stages_left else ''}{orchestration.id}"
    )
