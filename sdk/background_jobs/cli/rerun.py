"""`background-jobs rerun`: run instances of an orchestration again, by default what errored in it."""

from typing import TYPE_CHECKING, Annotated, Unpack

import typer

from background_jobs.cli.arguments import AsJson, OrchestrationId
from background_jobs.cli.exit_status import ExitStatus
from background_jobs.cli.kick_off import announce
from background_jobs.cli.last_kick_off import remember_kick_off
from background_jobs.cli.options import take_options
from background_jobs.cli.param_option import InvalidParamOption
from background_jobs.cli.reporting import asks_people, err, out, print_json, print_note, reporting
from background_jobs.cli.untrusted import printable, printable_json
from background_jobs.core.wording import count_of

if TYPE_CHECKING:
    from rich.text import Text

    from background_jobs.core.options import RerunKeywords
    from background_jobs.core.views.rerun_preview import ParamsChange, RerunPreview


@take_options("rerun")
def rerun(
    orchestration_id: OrchestrationId,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would run again, and start nothing.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask; without a terminal nothing is asked anyway.")
    ] = False,
    as_json: AsJson = False,
    **options: Unpack["RerunKeywords"],
) -> None:
    """Run again what errored, as a new orchestration.

    Or run what --only, --cause and --index name; what fits all of them. Prints the id of the new one, which
    has the first one as its parent. It runs what was deployed last, whichever revision the first one ran.
    On a terminal it shows what will run, and asks.
    """
    with reporting():
        from background_jobs.core.views.orchestration import KickOffAnswer
        from background_jobs.orchestration_service import OrchestrationService

        original = OrchestrationService().orchestration(orchestration_id)
        if dry_run:
            _print_preview(original.preview_rerun(**options), as_json=as_json)
            return
        if options.get("params_patch") is not None or options.get("params") is not None:
            _refuse_misfits(original.preview_rerun(**options))
        if not yes and asks_people():
            err().print(_draw(original.preview_rerun(**options)), soft_wrap=True)
            _confirm()
        orchestration = original.rerun(**options)
        remember_kick_off(orchestration.id)
        is_left_behind = not options.get("next_stages") and original.summary().next_stage_expected
    if as_json:
        print_json(KickOffAnswer(orchestration_id=orchestration.id, job_name=orchestration.job_name))
    else:
        announce(orchestration)
        if is_left_behind:
            print_note("The next stages went on without what failed; `--next-stages` runs them for it.")
        print_note(
            "It runs the jobs as they are now; on AWS, `background-jobs show` names the revision of their "
            "task definition."
        )


def _refuse_misfits(preview: "RerunPreview") -> None:
    """Raise InvalidParamOption where changed params do not fit the schema of the job, as `--param` does."""
    if preview.problems:
        raise InvalidParamOption(preview.job_name, _explain(preview))


def _explain(preview: "RerunPreview") -> list[str]:
    from background_jobs.orchestration_service.jobs import explain_problem

    return [f"#{problem.index} {explain_problem(problem)}" for problem in preview.problems]


def _confirm() -> None:
    if not typer.confirm("Run again?", err=True):
        print_note("Nothing was started.")
        raise typer.Exit(ExitStatus.REFUSED)


def _print_preview(preview: "RerunPreview", *, as_json: bool) -> None:
    if as_json:
        print_json(preview)
    else:
        out().print(_draw(preview), soft_wrap=True)


def _draw(preview: "RerunPreview") -> "Text":
    from rich.text import Text

    more = ", ..." if preview.more_indices else ""
    lines = [
        Text(f"{count_of(preview.instances, 'instance')} of {printable(preview.job_name)} would run again"),
        Text(f"    index {preview.indices}{more}", "dim"),
    ]
    if preview.repaired:
        repaired = f"{preview.repaired:,} of them have completed in another rerun already"
        lines.append(Text(f"    {repaired}; --only unrepaired leaves them out"))
    if preview.next_stages:
        how = "follow" if preview.goes_on else "do not follow without --next-stages"
        stages = ", ".join(map(printable, preview.next_stages))
        lines.append(Text(f"    the next stages {how}: {stages}"))
    for change in preview.params:
        lines += _draw_params(change)
    if preview.instances > len(preview.params):
        lines.append(Text(f"    and {preview.instances - len(preview.params):,} more", "dim"))
    lines += [Text(f"does not fit: {printable(reason)}", "red") for reason in _explain(preview)]
    return Text("\n").join(lines)


def _draw_params(change: "ParamsChange") -> "list[Text]":
    from rich.text import Text

    if change.before == change.after:
        return [Text(f"#{change.index} {_show(change.before)}")]
    return [
        Text(f"#{change.index} - {_show(change.before)}", "red"),
        Text(f"#{change.index} + {_show(change.after)}", "green"),
    ]


def _show(params: object) -> str:
    return "(params larger than 24 KB)" if params is None else printable_json(params)
