"""The progress API's server, which reads no more of a request than it takes, and waits for none for ever."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from background_jobs.progress_api.header_timeout import HeaderTimeoutProtocol
from background_jobs.progress_api.security import MAX_REQUEST_BYTES, Guard

MEGABYTE = 1 << 20


async def echo_size(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await PlainTextResponse(str(len(body)))(scope, receive, send)


class Exchange:
    """One request to the guard, whose body comes in parts, and its answer."""

    def __init__(
        self, parts: AsyncIterator[bytes], headers: dict[str, str], body_seconds: float = 60
    ) -> None:
        self._parts = parts
        self.sent = 0
        """The bytes that were read of the body."""
        self.messages: list[Message] = []
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        self._scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": raw}
        self._guard = Guard(echo_size, body_seconds)

    def run(self) -> "Exchange":
        asyncio.run(self._guard(self._scope, self._receive, self._send))
        return self

    async def _receive(self) -> Message:
        part = await anext(self._parts, None)
        self.sent += len(part or b"")
        return {"type": "http.request", "body": part or b"", "more_body": part is not None}

    async def _send(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def status(self) -> int:
        status: int = self.messages[0]["status"]
        return status

    @property
    def answer(self) -> Any:
        return json.loads(self.messages[1]["body"])


async def megabytes(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b" " * MEGABYTE


@pytest.mark.parametrize(
    "headers",
    [
        {"transfer-encoding": "chunked"},
        {"transfer-encoding": "chunked", "content-length": "2"},
        {"content-length": "2"},
        {"content-length": str(300 * MEGABYTE)},
        {},
    ],
)
def test_a_body_is_read_up_to_the_limit_whatever_its_headers_say(headers: dict[str, str]) -> None:
    """Otherwise one request fills the memory: 300 MB took 1.4 GB."""
    exchange = Exchange(megabytes(300), headers).run()
    assert (exchange.status, exchange.answer["error"]) == (413, "RequestTooLarge")
    assert exchange.sent <= MAX_REQUEST_BYTES + MEGABYTE


def test_a_body_of_the_limit_is_taken_in_chunks_too() -> None:
    exchange = Exchange(
        megabytes(6), {"transfer-encoding": "chunked", "content-type": "application/json"}
    ).run()
    assert (exchange.status, exchange.answer) == (200, MAX_REQUEST_BYTES)


def test_a_body_that_does_not_come_to_its_end_is_given_up() -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    exchange = Exchange(endless(), {"content-length": "10"}, body_seconds=0.01).run()
    assert (exchange.status, exchange.answer["error"]) == (408, "RequestTimeout")


@contextmanager
def serving(app: Any) -> Iterator[tuple[str, int]]:
    """A server with the protocol of the progress API, on this thread's machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, http=HeaderTimeoutProtocol, log_level="error", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
        thread.start()
        yield listener.getsockname()
        server.should_exit = True
        thread.join(60)


def test_a_request_whose_headers_do_not_come_is_closed_and_one_that_is_answered_slowly_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given a server that has answered a request half
    monkeypatch.setattr(HeaderTimeoutProtocol, "header_seconds", 0.05)
    begun, closed = threading.Event(), threading.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        await asyncio.to_thread(closed.wait, 60)
        await PlainTextResponse("late")(scope, receive, send)

    with serving(slow) as address, socket.create_connection(address, timeout=60) as patient:
        patient.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        assert begun.wait(60)

        # when others never begin, or stop in the middle of their headers
        for beginning in (b"", b"GET / HTTP/1.1\r\nHost: he"):
            with socket.create_connection(address, timeout=60) as half_open:
                half_open.sendall(beginning)
                assert half_open.recv(100) == b""

        # then they are closed, and the first has its answer
        closed.set()
        assert b"late" in _read_to_end(patient, b"late")

        # and a second request of it is limited again
        patient.sendall(b"GET / HTTP/1.1\r\n")
        assert patient.recv(100) == b""


def _read_to_end(connection: socket.socket, end: bytes) -> bytes:
    received = b""
    while end not in received and (part := connection.recv(1000)):
        received += part
    return received


def test_what_is_no_http_is_answered_with_a_problem() -> None:
    with serving(echo_size) as address, socket.create_connection(address, timeout=60) as client:
        client.sendall(b"GET  HTTP\r\n\r\n")
        head, _, body = _read_to_end(client, b"}").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request")
    assert b"content-type: application/problem+json" in head
    assert json.loads(body)["error"] == "InvalidHttp"


def test_the_body_of_an_answer_does_not_wait_until_its_headers_are_acknowledged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given a server whose connections the test can look at
    connections: list[socket.socket] = []
    begin = HeaderTimeoutProtocol.connection_made

    def begin_and_note(protocol: HeaderTimeoutProtocol, transport: asyncio.Transport) -> None:
        begin(protocol, transport)
        connections.append(transport.get_extra_info("socket"))

    monkeypatch.setattr(HeaderTimeoutProtocol, "connection_made", begin_and_note)
    with serving(echo_size) as address, socket.create_connection(address, timeout=60) as client:
        # when it has answered
        client.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        assert _read_to_end(client, b"\r\n\r\n0").endswith(b"0")
        # then it sends each part of an answer at once
        (connection,) = connections
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
