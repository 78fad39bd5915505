"""Answers that a client has already: each JSON answer to a GET has an ETag, and If-None-Match is honoured."""

import hashlib
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_OK: Final = 200
_NOT_MODIFIED: Final = 304


class ConditionalAnswers:
    """Names each version of what GET answers as JSON, and answers 304 to who has it; streams pass by.

    The name is made of the content, so that it holds for every route, and changes with all that is shown. It
    is weak, for the same content may be compressed or not.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back, perhaps without its body."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send, Headers(scope=scope).get("if-none-match", ""))
        await self._app(scope, receive, answer.send)


class _Answer:
    def __init__(self, send: Send, known: str) -> None:
        self._send = send
        self._known = {tag.strip().removeprefix("W/") for tag in known.split(",")}
        self._start: Message | None = None
        self._body = bytearray()

    async def send(self, message: Message) -> None:
        """Keep a JSON answer until it is whole; send anything else on."""
        if message["type"] == "http.response.start" and _is_json(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._finish(self._start)

    async def _finish(self, start: Message) -> None:
        tag = f'"{hashlib.sha256(self._body).hexdigest()[:32]}"'
        headers = MutableHeaders(scope=start)
        headers["etag"] = f"W/{tag}"
        headers.setdefault("cache-control", "no-cache")
        if self._known & {tag, "*"}:
            del headers["content-length"], headers["content-type"]
            start["status"] = _NOT_MODIFIED
            self._body.clear()
        await self._send(start)
        await self._send({"type": "http.response.body", "body": bytes(self._body)})


def _is_json(start: Message) -> bool:
    is_json = Headers(raw=start["headers"]).get("content-type", "").startswith("application/json")
    return start["status"] == _OK and is_json
