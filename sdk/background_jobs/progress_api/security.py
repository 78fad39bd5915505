"""The middleware around every request: limits on requests, and headers of answers."""

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from background_jobs.progress_api.models import Problem

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
    """Refuses what another site's page sends, and what is too large."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        refusal = _refusal(scope["method"], Headers(scope=scope))
        if refusal is None:
            await self._app(scope, receive, send_with_headers)
        else:
            await refusal(scope, receive, send_with_headers)


def _refusal(method: str, headers: Headers) -> JSONResponse | None:
    if method in _SAFE:
        return None
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != headers.get("host"):
        return _problem(403, "ForeignOrigin", f"Requests from pages of {origin} are not taken.")
    has_body = "content-length" in headers or "transfer-encoding" in headers
    length = headers.get("content-length", "" if has_body else "0")
    if not length.isdigit():
        return _problem(411, "LengthRequired", "Say how long the body is, with Content-Length.")
    if int(length) > MAX_REQUEST_BYTES:
        message = (
            f"The body is {int(length):,} bytes, and {MAX_REQUEST_BYTES:,} is the most. "
            "Kick off with the SDK, which takes any number of params."
        )
        return _problem(413, "RequestTooLarge", message)
    return None


def _problem(status: int, error: str, message: str) -> JSONResponse:
    return JSONResponse(Problem(error=error, message=message).model_dump(), status)
