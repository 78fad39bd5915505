"""The progress API as a server of its own: ``python -m background_jobs.progress_api PORT | fd:N``."""

import asyncio
import logging
import socket
import sys

import uvicorn

from background_jobs.json_log import JsonFormatter
from background_jobs.progress_api.app import create_app
from background_jobs.progress_api.header_timeout import HeaderTimeoutProtocol
from background_jobs.settings import ApiSettings, Settings


def serve(listener: socket.socket) -> None:
    """Serve on *listener* until told to end; settings come from variables."""
    api = ApiSettings.from_env()
    app = create_app(Settings.from_env(), api)
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
