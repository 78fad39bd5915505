"""`background-jobs schema`: the published JSON Schemas."""

from enum import StrEnum
from typing import Annotated

import typer

from background_jobs.cli.reporting import print_line


class SchemaName(StrEnum):
    """The name of a published schema."""

    JOB_COMPLETED_EVENT = "JobCompletedEvent"
    EVENTS = "events"


def schema(
    name: Annotated[
        SchemaName,
        typer.Argument(help="JobCompletedEvent: its detail on the bus; events: all events of the log."),
    ] = SchemaName.JOB_COMPLETED_EVENT,
) -> None:
    """Print the JSON Schema of an event."""
    from background_jobs.core.schemas import document, schemas

    print_line(document(schemas()[name]).rstrip())
