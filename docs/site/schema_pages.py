"""The pages of the reference that are made from schemas: the routes of the API, and the events."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tables import write_table


def write_routes(path: Path) -> str:
    """Return every route of the HTTP API, and the schemas of what it takes and answers."""
    document = json.loads(path.read_text())
    routes = [
        _write_route(method, where, route)
        for where, methods in document["paths"].items()
        for method, route in methods.items()
    ]
    schemas = document["components"]["schemas"]
    head = (
        "# All routes\n\nMade from [openapi.json](../openapi.json). [The API](../api.md) says how it is used."
    )
    return "\n\n".join([head, *routes, "## Schemas", *_write_schemas(schemas, level=3)]) + "\n"


def _write_route(method: str, path: str, route: Mapping[str, Any]) -> str:
    parts = [f"## `{method.upper()} {path}`", route.get("summary", ""), route.get("description", "")]
    if parameters := route.get("parameters"):
        rows = [
            (f"`{one['name']}`", f"{one['in']}, {_tell_type(one['schema'])}", one.get("description", ""))
            for one in parameters
        ]
        parts.append(write_table(("parameter", "where, and type", "what it is"), rows))
    if body := route.get("requestBody"):
        parts.append(f"Body: {', '.join(_tell_content(body['content']))}")
    rows = [
        (status, ", ".join(_tell_content(answer.get("content", {}))) or "nothing", answer["description"])
        for status, answer in route["responses"].items()
    ]
    return "\n\n".join([*filter(None, parts), write_table(("status", "answer", "when"), rows)])


def _tell_content(content: Mapping[str, Any]) -> Iterator[str]:
    for kind, media in content.items():
        yield f"{_tell_type(media.get('schema', {}))} (`{kind}`)"


def _tell_type(schema: object) -> str:  # noqa: PLR0911 -- one for each way of writing a type
    if not isinstance(schema, Mapping):
        return "anything"
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#schema-{name.lower()})"
    if ways := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        return " or ".join(dict.fromkeys(map(_tell_type, ways)))
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema.get("type") == "array":
        return f"list of {_tell_type(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "anything")


def _write_schemas(schemas: Mapping[str, Any], *, level: int) -> Iterator[str]:
    for name, schema in schemas.items():
        title = f"{'#' * level} {name} {{ #schema-{name.lower()} }}"
        rows = [
            (f"`{field}`", _tell_type(one), _tell_field(field, one, schema))
            for field, one in schema.get("properties", {}).items()
        ]
        table = write_table(("field", "type", "what it is"), rows) if rows else _tell_type(schema)
        yield "\n\n".join(filter(None, [title, schema.get("description", ""), table]))


def _tell_field(name: str, field: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    optional = "" if name in schema.get("required", ()) else "optional"
    return ". ".join(filter(None, [field.get("description", "").rstrip("."), optional]))


def write_events(folder: Path) -> str:
    """Return the events: the one on the bus that is for others, and those of the log."""
    completed = json.loads((folder / "JobCompletedEvent.json").read_text())
    log = json.loads((folder / "events.json").read_text())
    head = (
        "# Events\n\n[JobCompletedEvent](#schema-jobcompletedevent) is on the bus, for "
        "[rules](../pipelines.md) of your own; the others are the log, from which everything else is "
        "computed ([architecture](../architecture.md#the-event-log)). Their JSON Schemas: "
        "[JobCompletedEvent.json](../schemas/JobCompletedEvent.json), [events.json](../schemas/events.json). "
        "What is read must be kept by those who change them: fields come with defaults, and none goes."
    )
    on_bus = {"JobCompletedEvent": completed} | completed.get("$defs", {})
    in_log = {name: schema for name, schema in log["$defs"].items() if name not in on_bus}
    pages = [
        head,
        "## On the bus",
        *_write_schemas(on_bus, level=3),
        "## In the log",
        *_write_schemas(in_log, level=3),
    ]
    return "\n\n".join(pages) + "\n"
