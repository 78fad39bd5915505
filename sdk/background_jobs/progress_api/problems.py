"""How the API says no: problem details (RFC 9457), for our errors and for all that goes wrong before them."""

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from background_jobs.core import errors
from background_jobs.core.json_places import show_json
from background_jobs.core.refused_values import explain_problem

MEDIA_TYPE: Final = "application/problem+json"
Responses = dict[int | str, dict[str, Any]]
"""What a route may answer, as FastAPI takes it."""


class Fault(BaseModel):
    """One part of a request that is not as it should be."""

    where: str = Field(description="Its place: `body.params.0`, `query.limit`.")
    detail: str


class Problem(BaseModel):
    """Why a request was refused, and what to do: problem details (RFC 9457)."""

    type: str = Field(description="The kind of problem as a URN; it never changes.")
    title: str = Field(description="The kind of problem in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What is wrong with this request, and what to do next.")
    error: str = Field(description="The name of the error in the Python SDK, or of what HTTP refuses.")
    faults: list[Fault] | None = Field(
        default=None, description="Of an InvalidRequest: each part that is not as it should be."
    )


_OWN: Final[dict[type[errors.BackgroundJobsError], int]] = {
    errors.StreamTokenRefused: 401,
    errors.NotAllowed: 403,
    errors.CauseNotFound: 404,
    errors.InstanceNotFound: 404,
    errors.JobNotFound: 404,
    errors.OrchestrationNotFound: 404,
    errors.ScheduleNotFound: 404,
    errors.KickOffConflict: 409,
    errors.ScheduleDeclared: 409,
    errors.ScheduleEnded: 409,
    errors.PayloadNotFound: 410,
    errors.InvalidBackfill: 422,
    errors.InvalidComparison: 422,
    errors.InvalidKickOff: 422,
    errors.InvalidParams: 422,
    errors.InvalidSchedule: 422,
    errors.InvalidTimeRange: 422,
    errors.InvalidToken: 422,
    errors.JobsNotLoaded: 422,
    errors.UnknownJobName: 422,
    errors.UnreadableEvent: 500,
    errors.BackgroundJobsError: 500,
    errors.MissingSettings: 503,
    errors.NoRoomForParams: 503,
    errors.ServiceUnreachable: 503,
}
"""The status of each error that a route may raise."""
_ALWAYS: Final = {
    400: "The request cannot be read: it is no HTTP, its body is no JSON, or it names another host.",
    401: "The caller has not said who it is, or its token has expired.",
    403: "The caller may not do this, and the answer says what to ask for.",
    404: "There is no such orchestration, instance, job, schedule or route.",
    405: "The route has other methods; the header Allow names them.",
    408: "The body did not come to its end in time.",
    413: "The body is too large.",
    415: "The body is not declared as JSON.",
    422: "The request cannot be carried out, and the answer says why.",
    429: "There are too many requests; send it again later.",
    500: "The API failed; send the request again, or look into its log.",
    503: "AWS, or the endpoint in its place, did not answer, or the API lacks a setting.",
    504: "The API did not answer API Gateway in time.",
}
"""What any route may answer, with the statuses of API Gateway among them."""


def problems(*kinds: type[errors.BackgroundJobsError]) -> Responses:
    """Return the responses of a route that may raise *kinds*, beside those that every route has.

    >>> list(problems(errors.PayloadNotFound, errors.KickOffConflict))
    [410, 409]
    """
    texts: dict[int, list[str]] = {}
    for kind in kinds:
        if _OWN[kind] in _ALWAYS:
            continue
        texts.setdefault(_OWN[kind], []).append((kind.__doc__ or "").splitlines()[0])
    return _responses((status, " ".join(lines)) for status, lines in texts.items())


def common_problems() -> Responses:
    """Return the responses that every route has."""
    return _responses(_ALWAYS.items())


def problem(
    status: int, error: str, detail: str, faults: Sequence[Fault] = (), headers: dict[str, str] | None = None
) -> JSONResponse:
    """Return the answer that says why a request was refused."""
    content = Problem(
        type=f"urn:background-jobs:problem:{error}",
        title=re.sub(r"(?<=[a-z])(?=[A-Z])", " ", error).capitalize(),
        status=status,
        detail=detail,
        error=error,
        faults=list(faults) or None,
    )
    return JSONResponse(content.model_dump(exclude_none=True), status, headers, MEDIA_TYPE)


def answer_with_problems(app: FastAPI) -> None:
    """Let *app* answer with a problem whatever goes wrong in it."""
    for kind in _OWN:
        app.add_exception_handler(kind, _answer_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid_request)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(Exception, _answer_failure)


def _responses(texts: Iterable[tuple[int, str]]) -> Responses:
    # Told of a `model`, FastAPI would make a validator for each status of each route, when it is asked first.
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": text, "content": content} for status, text in texts}


async def _answer_error(_request: Request, error: Exception) -> JSONResponse:
    kind = next(kind for kind in type(error).__mro__ if kind in _OWN)
    return problem(_OWN[kind], type(error).__name__, str(error))


async def _answer_invalid_request(_request: Request, error: Exception) -> JSONResponse:
    found: Sequence[Any] = error.errors() if isinstance(error, RequestValidationError) else []
    faults = [
        Fault(where=".".join(map(str, one["loc"])), detail=explain_problem(one, show_json)) for one in found
    ]
    listed = "; ".join(dict.fromkeys(fault.detail for fault in faults))
    if any(one["type"] == "json_invalid" for one in found):
        reason = str(found[0].get("ctx", {}).get("error", "")).removesuffix(" at")
        return problem(
            400, "InvalidJson", f"The body cannot be read as JSON: {reason}. Send a JSON object, in UTF-8."
        )
    return problem(422, "InvalidRequest", f"The request is not as it should be: {listed}.", faults)


async def _answer_http_error(request: Request, error: Exception) -> JSONResponse:
    known = error if isinstance(error, HTTPException) else HTTPException(500)
    headers = {name.lower(): value for name, value in (known.headers or {}).items()}
    name = HTTPStatus(known.status_code).phrase.replace(" ", "")
    hint = ""
    if known.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["allow"] = ", ".join(sorted(_find_methods(request)))
        hint = f" It has {headers['allow']}."
    if known.status_code in {404, 405}:
        hint += " All routes are described at docs and openapi.json."
    detail = f"{request.method} {request.url.path}: {known.detail.rstrip('.')}.{hint}"
    return problem(known.status_code, name, detail, headers=headers)


async def _answer_failure(request: Request, _error: Exception) -> JSONResponse:
    detail = f"{request.method} {request.url.path} failed. Send it again; the API's log has the traceback."
    return problem(500, "InternalServerError", detail)


def _find_methods(request: Request) -> set[str]:
    """Return the methods of all routes at the path of *request*; the router itself names those of one."""
    return {
        method
        for method in ("GET", "POST", "PUT", "DELETE")
        for route in request.app.router.routes
        if route.matches({**request.scope, "method": method})[0] is Match.FULL
    }
