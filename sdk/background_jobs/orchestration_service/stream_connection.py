"""The connection to a stream of server-sent events, in steps for either driver."""

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final, cast
from urllib.parse import urlsplit

import httpx2
from httpx2 import ServerSentEvent

from background_jobs.aws import clients
from background_jobs.core.errors import ServiceUnreachable
from background_jobs.orchestration_service.steps import Task

_CONNECT_SECONDS: Final = 10.0
_TEMPORARY: Final = frozenset({429, 500, 502, 503, 504})
_FORBIDDEN: Final = frozenset({401, 403})


class RefusedForNow(Exception):
    """The API, or what stands before it, answered that it cannot serve the stream at this moment."""

    def __init__(self, answer: str, retry_after: float) -> None:
        self.retry_after = retry_after
        """How many seconds it asks to wait; 0 where it does not say."""
        super().__init__(answer, retry_after)

    def __str__(self) -> str:
        return str(self.args[0])


def check_answer(response: httpx2.Response) -> None:
    """Raise RefusedForNow or ServiceUnreachable if *response* is an error."""
    if not response.is_error:
        return
    answer = f"it answered {response.status_code} {response.reason_phrase}"
    if response.status_code in _TEMPORARY:
        raise RefusedForNow(answer, _read_retry_after(response.headers))
    hint = "Check your permissions" if response.status_code in _FORBIDDEN else "Check BACKGROUND_JOBS_API_URL"
    raise ServiceUnreachable(
        f"The progress API cannot be read at {response.url}: {answer}. {hint}; "
        "without BACKGROUND_JOBS_API_URL, the read model is watched."
    )


def _read_retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds of the header Retry-After, which may also be a date by the clock of the server."""
    text = headers.get("retry-after", "0")
    try:
        return float(text) if text.isdecimal() else _seconds_between(headers["date"], text)
    except (KeyError, TypeError, ValueError):
        return 0.0


def _seconds_between(first: str, second: str) -> float:
    return (parsedate_to_datetime(second) - parsedate_to_datetime(first)).total_seconds()


def is_local(url: str) -> bool:
    """Tell whether an address is on this machine."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


def _options(url: str) -> dict[str, Any]:
    """Return the options of a client, which reaches this machine past all proxies."""
    return {"auth": Signature(url), "trust_env": not is_local(url)}


class Signature(httpx2.Auth):
    """Signs requests for AWS (SigV4), unless the API is on this machine."""

    def __init__(self, api_url: str) -> None:
        self._is_local = is_local(api_url)

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
            self._client = resources.enter_context(httpx2.Client(**_options(self._url)))
            resources.callback(self._stack.close)
        source = self._stack.enter_context(self._client.sse(self._url, **options))
        self._events = iter(source)
        return source.response

    async def _open_async(self, resources: AsyncExitStack, options: dict[str, Any]) -> httpx2.Response:
        if self._async_client is None:
            client = httpx2.AsyncClient(**_options(self._url))
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
