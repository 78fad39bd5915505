"""The application: its routes, and the middleware around them."""

from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from background_jobs.aws.stores import Stores
from background_jobs.orchestration_service import OrchestrationService
from background_jobs.progress_api import (
    console,
    containers,
    event_history,
    jobs,
    logs,
    orchestrations,
    schedules,
    stream,
)
from background_jobs.progress_api.callers import Callers
from background_jobs.progress_api.conditional import ConditionalAnswers
from background_jobs.progress_api.hub import Hub
from background_jobs.progress_api.openapi import describe
from background_jobs.progress_api.problems import answer_with_problems, common_problems
from background_jobs.progress_api.security import Guard
from background_jobs.progress_api.stream_tokens import StreamTokens
from background_jobs.settings import ApiSettings, Authorization, Settings

if TYPE_CHECKING:
    from background_jobs.progress_api.sign_in.routes import SignIn

_DESCRIPTION: Final = """Kick off background jobs, follow them live, and read their results.

Lists are read in pages: `limit` items at most, and `next_token` for the page after. What is refused is
answered with problem details (RFC 9457). Answers to GET have an ETag for If-None-Match.

`GET /orchestrations/{orchestration_id}/events` is a stream of server-sent events that can be resumed.
"""
_COMPRESSED_BYTES: Final = 1_000
"""Answers of as many bytes are compressed; streams never are, for their events must not wait."""
_COMPRESSION_LEVEL: Final = 5
_PREFLIGHT_SECONDS: Final = 600
_REQUEST_HEADERS: Final = (
    "authorization", "content-type", "if-none-match", "last-event-id", "x-amz-content-sha256", "x-amz-date",
    "x-amz-security-token",
)  # fmt: skip
_RESPONSE_HEADERS: Final = ("etag", "location", "retry-after")


def create_app(
    settings: Settings, api: ApiSettings, *, sign_in: "SignIn | None" = None, actor: str = ""
) -> FastAPI:
    """Make the application of one environment; nothing is called yet.

    With *sign_in*, people sign in below `/web`. *actor* is who asks for changes where nobody else
    is known to.
    """
    app = FastAPI(
        title="Background Job Service",
        version=version("background-job-service"),
        description=_DESCRIPTION,
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        # It would lead away from where browsers or a proxy have the API: below /web, or a stage.
        redirect_slashes=False,
        responses=common_problems(),
        generate_unique_id_function=_name_operation,
    )
    stores = Stores.of(settings)
    app.state.callers = Callers(OrchestrationService(settings), stores, settings)
    app.state.user_pool_scopes = api.user_pool_scopes
    app.state.has_gateway = api.authorization is not Authorization.NONE
    app.state.sign_in = sign_in
    app.state.actor = actor
    app.state.hub = Hub(stores, api)
    app.state.stream_tokens = StreamTokens.of(api.stream_token_key)
    routers = (
        orchestrations, event_history, containers, logs, jobs, schedules, stream, console,
    )  # fmt: skip
    for routes in routers:
        app.include_router(routes.router)
    app.include_router(schedules.occurrences)
    answer_with_problems(app)
    app.add_middleware(ConditionalAnswers)
    app.add_middleware(GZipMiddleware, minimum_size=_COMPRESSED_BYTES, compresslevel=_COMPRESSION_LEVEL)
    origins = api.cors_origins
    if sign_in is not None:
        sign_in.add_to(app)
        origins += (sign_in.origin,)
    app.add_middleware(Guard, hosts=api.allowed_hosts, origins=origins)
    _let_other_sites_ask(app, api)
    app.openapi = cache(lambda: describe(app, api.authorization))  # type: ignore[method-assign] # as FastAPI says
    return app


def _name_operation(route: APIRoute) -> str:
    return route.name


def _let_other_sites_ask(app: FastAPI, api: ApiSettings) -> None:
    if api.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=api.cors_origins,
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=_REQUEST_HEADERS,
            expose_headers=_RESPONSE_HEADERS,
            max_age=_PREFLIGHT_SECONDS,
        )
