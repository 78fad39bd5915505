"""The application: its routes, its middleware, and how it answers our errors."""

from collections.abc import Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from background_jobs.aws.stores import Stores
from background_jobs.core import errors
from background_jobs.orchestration_service import OrchestrationService
from background_jobs.progress_api import (
    console,
    containers,
    event_history,
    logs,
    orchestrations,
    schedules,
    stream,
)
from background_jobs.progress_api.callers import Callers
from background_jobs.progress_api.hub import Hub
from background_jobs.progress_api.models import Problem
from background_jobs.progress_api.security import Guard
from background_jobs.settings import ApiSettings, Settings

_STATUSES: Final[dict[type[errors.BackgroundJobsError], int]] = {
    errors.NotAllowed: 403,
    errors.InstanceNotFound: 404,
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
    errors.UnknownJobName: 422,
    errors.UnreadableEvent: 500,
    errors.MissingSettings: 503,
    errors.ServiceUnreachable: 503,
}
_DESCRIPTION: Final = """Kick off background jobs, follow them live, and read their results.

`GET /orchestrations/{orchestration_id}/events` is a stream of server-sent events that can be resumed.
"""


def create_app(settings: Settings, api: ApiSettings) -> FastAPI:
    """Make the application of one environment; nothing is called yet."""
    app = FastAPI(
        title="Background Job Service",
        version=version("background-job-service"),
        description=_DESCRIPTION,
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        responses={code: {"model": Problem, "description": text} for code, text in _PROBLEMS.items()},
    )
    stores = Stores.of(settings)
    app.state.callers = Callers(OrchestrationService(settings), stores, settings)
    app.state.user_pool_scopes = api.user_pool_scopes
    app.state.hub = Hub(stores, api)
    app.include_router(orchestrations.router)
    app.include_router(event_history.router)
    app.include_router(containers.router)
    app.include_router(logs.router)
    app.include_router(schedules.router)
    app.include_router(stream.router)
    app.include_router(console.router)
    for kind in _STATUSES:
        app.add_exception_handler(kind, _answer_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid_request)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_middleware(Guard)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(api.allowed_hosts))
    return app


_PROBLEMS: Final = {
    403: "The caller's token does not allow it, and the answer says what to ask for.",
    404: "There is no such orchestration, instance or schedule.",
    422: "The request cannot be carried out, and the answer says why.",
    503: "AWS, or the endpoint in its place, did not answer, or the API lacks a setting.",
}


async def _answer_error(_request: Request, error: Exception) -> JSONResponse:
    kind = next(kind for kind in type(error).__mro__ if kind in _STATUSES)
    return _to_response(_STATUSES[kind], type(error).__name__, str(error))


async def _answer_invalid_request(_request: Request, error: Exception) -> JSONResponse:
    problems: Sequence[Any] = error.errors() if isinstance(error, RequestValidationError) else []
    reasons = "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in problems)
    return _to_response(422, "InvalidRequest", reasons or "The request cannot be read.")


async def _answer_http_error(request: Request, error: Exception) -> JSONResponse:
    known = error if isinstance(error, HTTPException) else HTTPException(500)
    name = HTTPStatus(known.status_code).phrase.replace(" ", "")
    hint = " All routes are described at /openapi.json." if known.status_code in (404, 405) else ""
    message = f"{request.method} {request.url.path}: {known.detail.rstrip('.')}.{hint}"
    answer = _to_response(known.status_code, name, message)
    answer.headers.update(known.headers or {})
    return answer


def _to_response(status: int, error: str, message: str) -> JSONResponse:
    return JSONResponse(Problem(error=error, message=message).model_dump(), status)
