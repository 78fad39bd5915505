"""The connection to a stream of server-sent events, in steps for either driver."""

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import urlsplit

import httpx2
from httpx2 import ServerSentEvent

from background_jobs.aws import clients
from background_jobs.orchestration_service.steps import Task

_CONNECT_SECONDS: Final = 10.0


class Signature(httpx2.Auth):
    """Signs requests for AWS (SigV4), unless the API is on this machine."""

    def __init__(self, api_url: str) -> None:
        self._is_local = urlsplit(api_url).hostname in ("127.0.0.1", "localhost", "::1")

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Add the signature."""
        if not self._is_local:
            # Headers of the connection itself must not be signed: proxies change them.
            signed = clients.signed_headers(request.method, str(request.url), request.content)
            request.headers.update(signed)
        yield request


@dataclass(frozen=True, slots=True)
class _ConnectionStep:
    """A step that is one method of a connection, or its asynchronous twin."""

    run: Callable[[ExitStack], Any]
    run_async: Callable[[AsyncExitStack], Coroutine[Any, Any, Any]]


class StreamConnection:
    """Connects to a stream time and again, with one client; what is left open is closed by the driver."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: httpx2.Client | None = None
        self._async_client: httpx2.AsyncClient | None = None
        self._stack, self._async_stack = ExitStack(), AsyncExitStack()
        self._events: Iterator[ServerSentEvent] = iter(())
        self._async_events: AsyncGenerator[ServerSentEvent, None] | None = None

    def open(self, headers: Mapping[str, str], patience: float) -> Task[httpx2.Response]:
        """Connect, and return the response; reading fails where nothing comes for *patience* seconds."""
        options = {
            "headers": headers,
            "timeout": httpx2.Timeout(_CONNECT_SECONDS, read=patience),
            # A snapshot has a letter for each instance, so its size depends on the kick-off.
            "max_event_size": None,
        }
        response: httpx2.Response = yield _ConnectionStep(
            lambda resources: self._open(resources, options),
            lambda resources: self._open_async(resources, options),
        )
        return response

    def read(self) -> Task[ServerSentEvent | None]:
        """Return the next event; None where the stream ends."""
        event: ServerSentEvent | None = yield _ConnectionStep(self._read, self._read_async)
        return event

    def close(self) -> Task[None]:
        """Close what `open` opened, but keep the client for the next connection."""
        yield _ConnectionStep(self._close, self._close_async)

    def _open(self, resources: ExitStack, options: dict[str, Any]) -> httpx2.Response:
        if self._client is None:
            self._client = resources.enter_context(httpx2.Client(auth=Signature(self._url)))
            resources.callback(self._stack.close)
        source = self._stack.enter_context(self._client.sse(self._url, **options))
        self._events = iter(source)
        return source.response

    async def _open_async(self, resources: AsyncExitStack, options: dict[str, Any]) -> httpx2.Response:
        if self._async_client is None:
            client = httpx2.AsyncClient(auth=Signature(self._url))
            self._async_client = await resources.enter_async_context(client)
            resources.push_async_callback(self._async_stack.aclose)
        source = await self._async_stack.enter_async_context(self._async_client.sse(self._url, **options))
        self._async_events = cast("AsyncGenerator[ServerSentEvent, None]", aiter(source))
        self._async_stack.push_async_callback(self._async_events.aclose)
        return source.response

    def _read(self, _resources: ExitStack) -> ServerSentEvent | None:
        return next(self._events, None)

    async def _read_async(self, _resources: AsyncExitStack) -> ServerSentEvent | None:
        return None if self._async_events is None else await anext(self._async_events, None)

    def _close(self, _resources: ExitStack) -> None:
        self._stack.close()

    async def _close_async(self, _resources: AsyncExitStack) -> None:
        await self._async_stack.aclose()
