"""`background-jobs rebuild`: fold the event log again, and repair the read model."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from background_jobs.cli.arguments import AsJson, OrchestrationId
from background_jobs.cli.reporting import reporting


def rebuild(
    orchestration_id: OrchestrationId,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 if it is wrong.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fold the event log again, and mend the read model.

    Nothing is stored where the read model is right.
    """
    with reporting():
        from background_jobs.aws.stores import Stores
        from background_jobs.control_plane import rebuild as control_plane
        from background_jobs.settings import Settings

        stores = Stores.of(Settings.from_env())
        if check:
            differences = control_plane.differences(orchestration_id, stores)
        else:
            differences = control_plane.rebuild(orchestration_id, stores, datetime.now(UTC))
    if as_json:
        typer.echo(json.dumps({"orchestration_id": orchestration_id, "differences": differences}, indent=2))
    elif differences:
        typer.echo("\n".join(differences))
        typer.echo("The read model is wrong." if check else "The read model was wrong, and is right now.")
    else:
        typer.echo("The read model is what the log makes.")
    if check and differences:
        raise typer.Exit(1)
