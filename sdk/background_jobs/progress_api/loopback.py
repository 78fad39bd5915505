"""The console on one's own machine, with one's own credentials: an address that nobody else can guess."""

import hmac
import secrets
import socket
from typing import Final, Self

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from background_jobs.progress_api.app import create_app
from background_jobs.progress_api.header_timeout import HeaderTimeoutProtocol
from background_jobs.progress_api.problems import problem
from background_jobs.settings import ApiSettings, Settings

HOST: Final = "127.0.0.1"
_SECRET_BYTES: Final = 24


class SecretPath:
    """Answers below one secret path only, so that other people and pages on this machine reach nothing.

    A path, unlike a cookie, is sent to no other port of the machine.
    """

    def __init__(self, app: ASGIApp, secret: str) -> None:
        self._app = app
        self._secret = secret

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on without the secret, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        _, first, rest = (*scope["path"].split("/", 2), "", "")[:3]
        if not hmac.compare_digest(first.encode(), self._secret.encode()):
            refusal = problem(
                404, "NotFound", "Open the whole address that `background-jobs console` prints."
            )
            await refusal(scope, receive, send)
            return
        await self._app({**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode()}, receive, send)


class LoopbackConsole:
    """A console that listens on this machine alone, and ends with this process.

    It does what the credentials of this process may, in the name of *actor*. Raises OSError where *port* is
    taken; 0 takes any.
    """

    def __init__(self, settings: Settings, *, actor: str, port: int = 0) -> None:
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        self._app = SecretPath(create_app(settings, ApiSettings(), actor=actor), secret)
        self._listener = socket.create_server((HOST, port))
        self.url = f"http://{HOST}:{self._listener.getsockname()[1]}/{secret}/"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def serve(self) -> None:
        """Serve until the process is told to end."""
        config = uvicorn.Config(
            self._app,
            http=HeaderTimeoutProtocol,
            log_level="warning",
            # Its log would have the secret.
            access_log=False,
            timeout_graceful_shutdown=1,
            lifespan="off",
        )
        uvicorn.Server(config).run(sockets=[self._listener])
