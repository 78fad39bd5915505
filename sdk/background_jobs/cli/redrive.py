"""`background-jobs redrive`: send again what functions did not take."""

from typing import Annotated

import typer

from background_jobs.cli.arguments import AsJsonLines
from background_jobs.cli.exit_status import ExitStatus
from background_jobs.cli.reporting import print_json, print_note, print_row, reporting


def redrive(
    queue: Annotated[
        str | None,
        typer.Option(
            metavar="ARN", help="The failure queue; by default that of the settings.", show_default=False
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Send and delete nothing; list only.")] = False,
    as_json: AsJsonLines = False,
) -> None:
    """Send again what functions did not take, from the failure queue.

    What was sent is deleted from the queue. What fails again stays there, and so does what cannot be sent:
    the command says why, and exits with 4.
    """
    stayed = 0
    with reporting():
        from background_jobs.aws import clients
        from background_jobs.aws.failure_messages import FailureMessages
        from background_jobs.aws.functions import Functions
        from background_jobs.aws.rules import Rules
        from background_jobs.aws.stream_records import StreamRecords
        from background_jobs.control_plane.redrive import Redrive
        from background_jobs.core.errors import MissingSettings
        from background_jobs.settings import Settings

        arn = queue or Settings.from_env().schedule_failures
        if not arn:
            raise MissingSettings(["BACKGROUND_JOBS_SCHEDULE_FAILURES"])
        redriving = Redrive(
            FailureMessages(clients.sqs(), arn),
            Functions(clients.functions()),
            StreamRecords(clients.dynamodb_streams()),
            Rules(clients.events()),
        )
        count = 0
        for done in redriving.run(dry=dry_run):
            count += 1
            stayed += done.outcome in ("kept", "failed again")
            if as_json:
                print_json(done)
            else:
                print_row(done.outcome, done.function or "-", done.message_id, done.reason)
        if not count:
            print_note("The failure queue is empty.")
    if stayed:
        raise typer.Exit(ExitStatus.FOUND)
