"""Counts the calls that reach the emulator, by caller and operation."""

import json
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

PATH: Final = "/_background_jobs/calls"
"""The path of the counts, as JSON: ``{"<caller> <operation>": <calls>}``."""

_SERVICE_IN_SCOPE: Final = 3
"""``Credential=<key>/<date>/<region>/<service>/aws4_request``."""

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Message, _Receive, _Send], Awaitable[None]]


class CallCounter:
    """An ASGI application around the emulator's."""

    def __init__(self, app: _App) -> None:
        self._app = app
        self._calls: Counter[str] = Counter()

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        """Count a call and pass it on, or answer with the counts."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] == PATH:
            await _answer(send, json.dumps(self._calls).encode())
        else:
            headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
            self._calls[f"{_caller(headers)} {_operation(scope, headers)}"] += 1
            await self._app(scope, receive, send)


def _caller(headers: dict[bytes, str]) -> str:
    """Return the application id in botocore's user agent (``app/<id>``)."""
    parts = headers.get(b"user-agent", "").split()
    return next((part.removeprefix("app/") for part in parts if part.startswith("app/")), "other")


def _operation(scope: _Message, headers: dict[bytes, str]) -> str:
    target = headers.get(b"x-amz-target")
    if target:
        return target.rsplit(".", 1)[-1]
    credential = headers.get(b"authorization", "").partition("Credential=")[2].split("/")
    service = credential[_SERVICE_IN_SCOPE] if len(credential) > _SERVICE_IN_SCOPE else "unsigned"
    return f"{service} {scope['method']}"


async def _answer(send: _Send, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
