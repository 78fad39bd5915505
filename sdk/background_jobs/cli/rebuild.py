"""`background-jobs rebuild`: fold the event log again, and repair the read model."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from background_jobs.cli.arguments import AsJson, OrchestrationId
from background_jobs.cli.exit_status import ExitStatus
from background_jobs.cli.reporting import on_terminal, print_json_text, print_line, print_row, reporting
from background_jobs.cli.untrusted import printable

if TYPE_CHECKING:
    from background_jobs.control_plane.rebuild import Findings


def rebuild(
    orchestration_id: OrchestrationId,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit with 4 if anything is wrong.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fold the event log again, and mend the read model.

    Nothing is stored where the read model is right. It tells, too, what was done to the log: items that are
    missing, that cannot be read or that differ from their keys, and instances with two outcomes.
    Where a later release wrote events, it stores nothing: that release is to rebuild.
    """
    with reporting():
        from background_jobs.aws.stores import Stores
        from background_jobs.control_plane import rebuild as control_plane
        from background_jobs.settings import Settings

        stores = Stores.of(Settings.from_env())
        if check:
            found = control_plane.check(orchestration_id, stores)
        else:
            found = control_plane.rebuild(orchestration_id, stores, datetime.now(UTC))
    if as_json:
        findings = {"differences": found.read_model, "log_faults": found.log, "later_events": found.later}
        print_json_text(json.dumps({"orchestration_id": orchestration_id, **findings}))
    elif not on_terminal():
        for kind, sentences in (
            ("log", found.log),
            ("read model", found.read_model),
            ("later release", found.later),
        ):
            for sentence in sentences:
                print_row(kind, sentence)
    else:
        _print(found, checked=check)
    if found.log or found.later or (check and found.read_model):
        raise typer.Exit(ExitStatus.FOUND)


def _print(found: "Findings", *, checked: bool) -> None:
    for finding in (*found.log, *found.read_model):
        print_line(printable(finding))
    if found.log:
        print_line(
            "The event log was changed, though it is append-only; a rebuild brings back a completion, "
            "and nothing else."
        )
    for sentence in found.later:
        print_line(printable(sentence))
    if found.later:
        print_line("Nothing was stored, for this release cannot tell what follows from them.")
    elif found.read_model:
        print_line("The read model is wrong." if checked else "The read model was wrong, and is right now.")
    else:
        print_line("The read model is what the log makes.")
