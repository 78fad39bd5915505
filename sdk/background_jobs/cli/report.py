"""`background-jobs report`: all of one orchestration as an HTML file."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from background_jobs.cli.arguments import OrchestrationId
from background_jobs.cli.reporting import print_note, reporting


def report(
    orchestration_id: OrchestrationId,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            dir_okay=False,
            writable=True,
            metavar="FILE",
            help="Write it there, or to - for standard output; by default to report-ID.html, here.",
        ),
    ] = None,
) -> None:
    """Write all of an orchestration into one HTML file.

    It needs no server and no script: it can be mailed, printed and kept.
    """
    with reporting():
        from background_jobs.orchestration_service import OrchestrationService
        from background_jobs.orchestration_service.replaced_file import replacing

        page = OrchestrationService().orchestration(orchestration_id).report()
        if output == Path("-"):
            sys.stdout.buffer.write(page.encode())
            return
        target = output or Path(f"report-{orchestration_id[:8]}.html")
        with replacing(target) as file:
            file.write(page)
    print_note(f"{target} has all of {orchestration_id}; open it in a browser.")
