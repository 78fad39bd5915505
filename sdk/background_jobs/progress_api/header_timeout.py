"""Closes connections whose requests never begin: the limits of the server itself begin after the first."""

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol


class HeaderTimeoutProtocol(H11Protocol):
    """HTTP/1.1, with a limit on the time in which the headers of a request must come."""

    header_seconds: ClassVar[float] = 30
    """How long a client may take from its connection, or its first byte, to the end of the headers."""

    _timeout: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as its parent does
        """Expect a request."""
        super().connection_made(transport)
        self._limit_time()

    def data_received(self, data: bytes) -> None:
        """Take a part of a request."""
        super().data_received(data)
        self._limit_time()

    def _limit_time(self) -> None:
        is_first = self.cycle is None  # whatever its type says
        expects_headers = is_first or self.cycle.response_complete
        if expects_headers and self._timeout is None:
            self._timeout = self.loop.call_later(self.header_seconds, self.transport.close)
        elif not expects_headers and self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None
