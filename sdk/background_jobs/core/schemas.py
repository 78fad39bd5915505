"""The published JSON Schemas: of the event on the bus, and of every event of the log."""

import json
from typing import Any, Final

from background_jobs.core.completion import JobCompletedEvent
from background_jobs.core.events import schema_of_events

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, dict[str, Any]]:
    """Return the schemas by name: ``JobCompletedEvent`` (the detail of the event), and ``events``.

    >>> sorted(schemas())
    ['JobCompletedEvent', 'events']
    """
    documents = {
        "JobCompletedEvent": JobCompletedEvent.model_json_schema(mode="serialization"),
        "events": {"title": "Events of the log", **schema_of_events()},
    }
    return {name: {"$schema": DIALECT, **schema} for name, schema in documents.items()}


def document(schema: dict[str, Any]) -> str:
    """Return *schema* as the text of its file."""
    return json.dumps(schema, indent=2) + "\n"
