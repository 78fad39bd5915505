"""The progress API as a server of its own: ``python -m background_jobs.progress_api PORT | fd:N``."""

import asyncio
import logging
import socket
import sys
from typing import TYPE_CHECKING

import uvicorn

from background_jobs.aws import clients
from background_jobs.aws.secrets import Secrets
from background_jobs.json_log import JsonFormatter
from background_jobs.progress_api.app import create_app
from background_jobs.progress_api.header_timeout import HeaderTimeoutProtocol
from background_jobs.settings import ApiSettings, Settings, SignInSettings

if TYPE_CHECKING:
    from background_jobs.progress_api.sign_in.routes import SignIn


def serve(listener: socket.socket) -> None:
    """Serve on *listener* until told to end; settings come from variables."""
    api = ApiSettings.from_env()
    settings = Settings.from_env()
    app = create_app(settings, api, sign_in=_sign_in(settings))
    if api.json_log:
        _log_json()
    # A stream may go on for days, so a server that is told to end waits for none.
    config = uvicorn.Config(
        app,
        http=HeaderTimeoutProtocol,
        log_level="warning",
        timeout_graceful_shutdown=1,
        lifespan="off",
    )
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


def _sign_in(settings: Settings) -> "SignIn | None":
    people = SignInSettings.from_env()
    if not people.sign_in_issuer:
        return None
    from background_jobs.progress_api.sign_in.routes import SignIn  # noqa: PLC0415 -- takes time to import

    return SignIn.of(people, settings.environment, Secrets(clients.client_without_types("secretsmanager")))


def _log_json() -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def main(where: str) -> None:
    """Serve on a port of the loopback interface, or on a socket that was handed over."""
    if where.startswith("fd:"):
        serve(socket.socket(fileno=int(where.removeprefix("fd:"))))
    else:
        serve(socket.create_server(("127.0.0.1", int(where))))


if __name__ == "__main__":
    main(sys.argv[1])
