"""The OpenAPI document: what FastAPI finds in the routes, and what it cannot know."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import models_json_schema

from background_jobs.core.views import stream_events
from background_jobs.progress_api.examples import BODIES
from background_jobs.progress_api.problems import Problem
from background_jobs.progress_api.stream import STREAMS
from background_jobs.settings import Authorization

_REFERENCE: Final = "#/components/schemas/{model}"
_DONE: Final = {"200": "What was asked for.", "201": "It was made.", "204": "It was done."}
_METHODS: Final = frozenset({"get", "post", "put", "delete"})
_SCHEMES: Final[dict[Authorization, tuple[str, dict[str, Any]]]] = {
    Authorization.IAM: (
        "iam",
        {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "A signature with the caller's AWS credentials (SigV4, service `execute-api`).",
            "x-amazon-apigateway-authtype": "awsSigv4",
        },
    ),
    Authorization.USER_POOL: (
        "userPool",
        {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A token of the environment's Amazon Cognito user pool; where scopes are used, an "
            "access token.",
        },
    ),
}
_STREAM_TOKEN: Final = {
    "type": "apiKey",
    "in": "query",
    "name": "token",
    "description": "A token of POST /orchestrations/{orchestration_id}/stream-tokens.",
}


class HeartbeatEvent(BaseModel):
    """The event that shows that a connection is alive: an empty object."""

    model_config = ConfigDict(extra="forbid")


_EVENTS: Final[dict[str, type[BaseModel]]] = {
    stream_events.SNAPSHOT: stream_events.SnapshotEvent,
    stream_events.TRANSITIONS: stream_events.TransitionsEvent,
    stream_events.PROGRESS: stream_events.ProgressEvent,
    stream_events.COMPLETED: stream_events.CompletedEvent,
    stream_events.HEARTBEAT: HeartbeatEvent,
}


def describe(app: FastAPI, *authorizations: Authorization) -> dict[str, Any]:
    """Return the document of *app*, whose callers authenticate in one of the ways in *authorizations*."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        separate_input_output_schemas=app.separate_input_output_schemas,
    )
    for path, methods in document["paths"].items():
        for method in _METHODS & methods.keys():
            _complete(methods[method], path)
        if "get" in methods and "application/json" in methods["get"]["responses"]["200"]["content"]:
            _describe_versions(methods["get"])
    _tell_apart(document["components"]["schemas"])
    _add_models(document["components"]["schemas"], Problem, *_EVENTS.values())
    _add_security(document, authorizations)
    return document


def _complete(operation: dict[str, Any], path: str) -> None:
    for status, response in operation["responses"].items():
        content = response.get("content", {})
        if response["description"] == "Successful Response":
            response["description"] = _DONE[status]
        if status == "201":
            response["headers"] = {"Location": _header("Where it is, relative to this request.")}
        if "text/event-stream" in content:
            content["text/event-stream"] |= _stream_schema()
    if operation["operationId"] in BODIES:
        body = operation["requestBody"]["content"]["application/json"]
        body["examples"] = BODIES[operation["operationId"]]
    if path == STREAMS:
        operation["security"] = [{"streamToken": []}]


def _describe_versions(operation: dict[str, Any]) -> None:
    operation["responses"]["200"]["headers"] = {"ETag": _header("The version of this answer.")}
    operation["responses"]["304"] = {"description": "The answer is the one that the client has."}
    known = "The ETags of the answers that the client has."
    parameter = {"name": "If-None-Match", "in": "header", "required": False, "schema": {"type": "string"}}
    operation.setdefault("parameters", []).append(parameter | {"description": known})


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


def _stream_schema() -> dict[str, Any]:
    """Return what a stream is made of; OpenAPI 3.1 has no words for events, so an extension names them."""
    events = {name: {"$ref": _REFERENCE.format(model=model.__name__)} for name, model in _EVENTS.items()}
    return {"x-events": events}


def _tell_apart(schemas: dict[str, Any]) -> None:
    """Title what is sent and what is answered differently: generators name classes by titles."""
    for name, schema in schemas.items():
        if name.endswith(("-Input", "-Output")):
            schema["title"] = name.replace("-", "")


def _add_models(schemas: dict[str, Any], *models: type[BaseModel]) -> None:
    """Describe what answers refer to without FastAPI's knowledge."""
    inputs: list[Any] = [(model, "serialization") for model in models]
    _, found = models_json_schema(inputs, ref_template=_REFERENCE)
    for name, schema in found["$defs"].items():
        schemas.setdefault(name, schema)


def _add_security(document: dict[str, Any], authorizations: tuple[Authorization, ...]) -> None:
    schemes = dict(_SCHEMES[one] for one in authorizations if one in _SCHEMES)
    document["components"]["securitySchemes"] = {**schemes, "streamToken": _STREAM_TOKEN}
    if schemes:
        document["security"] = [{name: []} for name in schemes]
        if Authorization.NONE in authorizations:
            document["security"].append({})
