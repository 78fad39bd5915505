"""Keeps the emulator to programs of this machine: a web page could run code as the developer with it."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

_FOREIGN_SITES: Final = frozenset({"cross-site", "same-site"})


class RequestGuard:
    """An ASGI application around the emulator's.

    Refuses requests that name another host than *hosts*, because a page whose name was pointed at this
    machine (DNS rebinding) sends them, and requests that a browser makes for a page of another origin. It
    removes the headers (CORS) by which the emulator lets any page read its answers.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif (refusal := self._refusal(Headers(scope=scope))) is None:
            await self._app(scope, receive, _without_cors(send))
        elif scope["type"] == "websocket":
            await WebSocketClose(reason=refusal)(scope, receive, send)
        else:
            await PlainTextResponse(refusal, 403)(scope, receive, send)

    def _refusal(self, headers: Headers) -> str | None:
        host = headers.get("host", "")
        if _name(host) not in self._hosts:
            return f"The offline stack is not {host!r}: call it as 127.0.0.1 or localhost.\n"
        origin = headers.get("origin")
        # Images, forms and frames of a page send no Origin with GET; browsers tell by another header.
        is_foreign = origin is not None and urlsplit(origin).netloc != host
        if is_foreign or headers.get("sec-fetch-site") in _FOREIGN_SITES:
            return f"The offline stack takes no requests from pages of {origin or 'other sites'}.\n"
        return None


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _without_cors(send: Send) -> Send:
    async def send_without_cors(message: Message) -> None:
        if "headers" in message:
            headers = message["headers"]
            message = {**message, "headers": [pair for pair in headers if not _is_cors(pair[0])]}
        await send(message)

    return send_without_cors


def _is_cors(name: bytes) -> bool:
    return name.lower().startswith(b"access-control-")
