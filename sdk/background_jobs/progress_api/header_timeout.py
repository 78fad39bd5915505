"""The server's HTTP: closes connections whose requests never begin, and answers what is no HTTP."""

import asyncio
import socket
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from background_jobs.progress_api.problems import problem


class HeaderTimeoutProtocol(H11Protocol):
    """HTTP/1.1, with a limit on the time in which the headers of a request must come."""

    header_seconds: ClassVar[float] = 30
    """How long a client may take from its connection, or its first byte, to the end of the headers."""

    _timeout: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as its parent does
        """Expect a request."""
        super().connection_made(transport)
        # asyncio does so only where the listening socket names its protocol. The body of an answer would wait
        # until the client acknowledges its headers, which takes 40 ms.
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._limit_time()

    def data_received(self, data: bytes) -> None:
        """Take a part of a request."""
        super().data_received(data)
        self._limit_time()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP as all else is answered that is refused."""
        answer = problem(400, "InvalidHttp", f"{msg.rstrip('.')}. Send HTTP/1.1, as an HTTP client does.")
        headers = [*answer.raw_headers, (b"connection", b"close")]
        begin = h11.Response(status_code=400, headers=headers, reason=b"Bad Request")
        for event in (begin, h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _limit_time(self) -> None:
        is_first = self.cycle is None  # whatever its type says
        expects_headers = is_first or self.cycle.response_complete
        if expects_headers and self._timeout is None:
            self._timeout = self.loop.call_later(self.header_seconds, self.transport.close)
        elif not expects_headers and self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None
