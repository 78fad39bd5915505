"""`background-jobs rerun`: run an orchestration again, or only what errored in it."""

from enum import StrEnum
from typing import Annotated

import typer

from background_jobs.cli.arguments import AsJson, EndAfter, Key, MaxAttempts, OrchestrationId, retry_option
from background_jobs.cli.kick_off import announce
from background_jobs.cli.reporting import print_json, reporting


class Only(StrEnum):
    """Which instances are run again."""

    FAILED = "failed"
    ALL = "all"


def rerun(  # noqa: PLR0913, PLR0917 -- the options of a command
    orchestration_id: OrchestrationId,
    only: Annotated[Only, typer.Option(help="Those that errored, or all.")] = Only.FAILED,
    parallelism: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Containers at once; by default as before.")
    ] = None,
    key: Key = None,
    max_attempts: MaxAttempts = None,
    timeout: EndAfter = None,
    as_json: AsJson = False,
) -> None:
    """Run again what errored, as a new orchestration.

    Prints the id of the new one, which has the first one as its parent.
    """
    with reporting():
        from background_jobs.core.views.orchestration import KickOffAnswer
        from background_jobs.orchestration_service import OrchestrationService

        orchestration = OrchestrationService().rerun(
            orchestration_id,
            only=only.value,
            parallelism=parallelism,
            key=key,
            retry=retry_option(max_attempts),
            timeout=timeout,
        )
    if as_json:
        print_json(KickOffAnswer(orchestration_id=orchestration.id, job_name=orchestration.job_name))
    else:
        announce(orchestration)
