"""`background-jobs schema`: the published JSON Schemas."""

from enum import StrEnum
from typing import Annotated

import typer


class Named(StrEnum):
    """What has a schema."""

    JOB_COMPLETED_EVENT = "JobCompletedEvent"
    EVENTS = "events"


def schema(
    name: Annotated[
        Named, typer.Argument(help="JobCompletedEvent: its detail on the bus; events: all events of the log.")
    ] = Named.JOB_COMPLETED_EVENT,
) -> None:
    """Print the JSON Schema of an event."""
    from background_jobs.core.schemas import document, schemas

    typer.echo(document(schemas()[name]), nl=False)
