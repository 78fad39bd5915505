"""The middleware around every request: limits on requests, and headers of answers."""

import asyncio
import re
from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from background_jobs.progress_api.problems import problem

MAX_REQUEST_BYTES: Final = 6 * 1024 * 1024
"""The limit of Lambda, too."""

_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        # No string becomes markup or code, whatever a script of ours might try.
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """Refuses what another site's page sends, what is too large or no JSON, and what does not come whole.

    *hosts* are those that requests may name (``*`` for any), *origins* the sites whose pages may send them,
    and *body_seconds* is the time within which a body must have been received.
    """

    def __init__(
        self,
        app: ASGIApp,
        body_seconds: float = 30,
        *,
        hosts: Collection[str] = ("*",),
        origins: Collection[str] = (),
    ) -> None:
        self._app = app
        self._body_seconds = body_seconds
        self._hosts = hosts
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        headers = Headers(scope=scope)
        refusal = self._refuse_host(headers) or self._refuse_origin(scope["method"], headers)
        if refusal is not None:
            await refusal(scope, receive, send_with_headers)
            return
        try:
            async with asyncio.timeout(self._body_seconds):
                body = await _receive_body(receive)
        except ClientDisconnect:
            return
        except TimeoutError:
            message = f"The body did not come within {self._body_seconds:g} s. Send it again, at once."
            await _problem(408, "RequestTimeout", message)(scope, receive, send_with_headers)
        except _BodyTooLarge:
            message = (
                f"The body has more than {MAX_REQUEST_BYTES:,} bytes. "
                "Kick off with the SDK, which takes any number of params."
            )
            await _problem(413, "RequestTooLarge", message)(scope, receive, send_with_headers)
        else:
            app = (_refuse_type(headers) if body else None) or self._app
            await app(scope, _replay(body, receive), send_with_headers)

    def _refuse_host(self, headers: Headers) -> JSONResponse | None:
        host = headers.get("host", "")
        if "*" in self._hosts or _host_name(host) in self._hosts:
            return None
        message = f"There is no host {host!r} here. Use the address that the service's settings have."
        return _problem(400, "UnknownHost", message)

    def _refuse_origin(self, method: str, headers: Headers) -> JSONResponse | None:
        origin = headers.get("origin")
        if method in _SAFE or origin is None or origin in self._origins:
            return None
        if origin.partition("://")[2] == headers.get("host"):
            return None
        return _problem(403, "ForeignOrigin", f"Requests from pages of {origin} are not taken.")


class _BodyTooLarge(Exception):
    """More bytes came than a request may have."""


async def _receive_body(receive: Receive) -> bytes:
    # Headers may claim another length, or none, so what counts is what comes.
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > MAX_REQUEST_BYTES:
            raise _BodyTooLarge
        more = message.get("more_body", False)
    return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def replay() -> Message:
        return next(messages, None) or await receive()

    return replay


def _host_name(host: str) -> str:
    """Return the name in a header Host, without its port.

    >>> _host_name("localhost:8080"), _host_name("[::1]:8080")
    ('localhost', '[::1]')
    """
    return re.sub(r":\d*$", "", host).lower()


def _refuse_type(headers: Headers) -> JSONResponse | None:
    declared = headers.get("content-type", "")
    media_type = declared.partition(";")[0].strip().lower()
    if media_type == "application/json" or re.fullmatch(r"application/[\w.-]+\+json", media_type):
        return None
    message = f"The body is declared as {declared or 'nothing'!r}. Send JSON, as application/json."
    return _problem(415, "UnsupportedMediaType", message)


def _problem(status: int, error: str, detail: str) -> JSONResponse:
    # What is left of the body is not read.
    return problem(status, error, detail, headers={"connection": "close"})
