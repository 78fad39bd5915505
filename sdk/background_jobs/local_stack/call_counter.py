"""Counts the calls that reach the emulator, by caller and operation, and what they carry."""

import json
import math
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

PATH: Final = "/_background_jobs/calls"
"""The path of the counts, as JSON: ``{"<caller> <operation>": <calls>}``."""

USAGE_PATH: Final = "/_background_jobs/usage"
"""The path of what they carry, as JSON: ``bytes sent``, ``bytes answered``, ``read units``,
``invocations`` of functions, and ``transitions`` of state machines.

A read unit is counted for each 4 KB begun of an answer, which is more than DynamoDB counts: JSON is longer.
"""
_READS: Final = frozenset({"GetItem", "BatchGetItem", "TransactGetItems", "Query", "Scan"})
_READ_UNIT_BYTES: Final = 4_096

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
        self._usage: Counter[str] = Counter()

    def note(self, what: str) -> None:
        """Count something else that AWS bills."""
        self._usage[what] += 1

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        """Count a call and pass it on, or answer with the counts."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] == PATH:
            await _answer(send, json.dumps(self._calls).encode())
        elif scope["path"] == USAGE_PATH:
            await _answer(send, json.dumps(self._usage).encode())
        else:
            headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
            operation = _operation(scope, headers)
            self._calls[f"{_caller(headers)} {operation}"] += 1
            await self._measure(operation, scope, receive, send)

    async def _measure(self, operation: str, scope: _Message, receive: _Receive, send: _Send) -> None:
        answered = 0

        async def receive_counted() -> _Message:
            message = await receive()
            self._usage["bytes sent"] += len(message.get("body", b""))
            return message

        async def send_counted(message: _Message) -> None:
            nonlocal answered
            answered += len(message.get("body", b""))
            await send(message)

        await self._app(scope, receive_counted, send_counted)
        self._usage["bytes answered"] += answered
        if operation in _READS:
            self._usage["read units"] += math.ceil(answered / _READ_UNIT_BYTES)


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
