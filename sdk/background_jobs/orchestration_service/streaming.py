"""Following an orchestration over the server-sent events of the progress API."""

import asyncio
import time
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
from httpx2 import ServerSentEvent

from background_jobs.aws import clients
from background_jobs.core.errors import OrchestrationNotFound, ServiceUnreachable
from background_jobs.core.fold import Advance, Summary, Transition
from background_jobs.core.statuses import LETTERS, State, rank_of
from background_jobs.core.views import live
from background_jobs.orchestration_service.watching import Deadline, Update

SILENCE_SECONDS: Final = 45.0
"""Heartbeats come every 15 seconds; a stream that is silent for longer is dead."""
GIVE_UP_SECONDS: Final = 60.0
"""How long the API may be out of reach before watching gives up."""
_NOT_FOUND: Final = 404
_NO_CONTENT: Final = 204
_LONGEST_WAIT: Final = 5.0


class Follower:
    """Makes updates of the events of a stream, across connections; it knows where to resume."""

    def __init__(self, orchestration_id: str, api_url: str) -> None:
        self.url = f"{api_url.rstrip('/')}/orchestrations/{orchestration_id}/events"
        self.done = False
        self._orchestration_id = orchestration_id
        self._last_event_id = ""
        self._summary = Summary(orchestration_id=orchestration_id)
        self._lost_at: float | None = None
        self._retry_seconds = 1.0

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers of the next connection."""
        return {"Last-Event-ID": self._last_event_id} if self._last_event_id else {}

    def accept(self, response: httpx2.Response) -> bool:
        """Tell whether *response* is a stream to read. Raises OrchestrationNotFound or ServiceUnreachable."""
        if response.status_code == _NOT_FOUND:
            raise OrchestrationNotFound(self._orchestration_id)
        if response.is_error:
            raise ServiceUnreachable(
                f"The progress API at {self.url} answered {response.status_code} {response.reason_phrase}. "
                "Check your permissions; without BACKGROUND_JOBS_API_URL, the read model is watched."
            )
        self._lost_at = None
        self.done = response.status_code == _NO_CONTENT
        return not self.done

    def wait_after(self, lost: Exception, deadline: Deadline) -> float:
        """Return how long to wait before connecting again. Raises TimeoutError or ServiceUnreachable."""
        deadline.check(self._summary)
        now = time.monotonic()
        self._lost_at = self._lost_at or now
        if now - self._lost_at > GIVE_UP_SECONDS:
            raise ServiceUnreachable(
                f"The progress API at {self.url} did not answer for {GIVE_UP_SECONDS:g} s: {lost}. Check "
                "BACKGROUND_JOBS_API_URL; without it, the read model is watched."
            ) from lost
        wait = min(_LONGEST_WAIT, self._retry_seconds)
        return wait if deadline.left is None else max(0.0, min(wait, deadline.left))

    def update(self, event: ServerSentEvent) -> Update | None:
        """Return what *event* says; None if it says nothing new."""
        if event.retry is not None:
            self._retry_seconds = event.retry / 1000
        self._last_event_id = event.id or self._last_event_id
        match event.event:
            case live.SNAPSHOT:
                snapshot = live.Snapshot.model_validate_json(event.data)
                self._summary = _summary(snapshot.orchestration)
                return _backlog(snapshot, self._summary)
            case live.TRANSITIONS:
                news = live.Transitions.model_validate_json(event.data)
                moves = (Transition(m.index, rank_of(m.state, m.attempt), m.at) for m in news.transitions)
                self._note(event, news)
                return Update(self._summary, tuple(moves))
            case live.PROGRESS:
                told = live.ProgressNews.model_validate_json(event.data).progress
                advances = (
                    Advance(p.index, p.attempt, p.percent, p.message, p.at) for p in told if p.at is not None
                )
                return Update(self._summary, (), tuple(advances))
            case live.COMPLETED:
                self.done = True
                self._summary = _summary(live.Completed.model_validate_json(event.data).orchestration)
                return Update(self._summary, ())
        return None

    def _note(self, event: ServerSentEvent, news: live.Transitions) -> None:
        counts = news.counts
        moved_at = min((move.at for move in news.transitions), default=None)
        self._summary = self._summary.model_copy(
            update={
                "version": int(event.id.partition(".")[0]),
                "first_job_at": self._summary.first_job_at or moved_at,
                "cancelled_at": news.cancelled_at,
                "running": counts.running,
                "completed": counts.completed,
                "errored": counts.errored,
            }
        )

    @property
    def summary(self) -> Summary:
        """Return where the orchestration stood at the last event."""
        return self._summary


def streamed(orchestration_id: str, api_url: str, deadline: Deadline) -> Iterator[Update]:
    """Yield the updates of a stream until the orchestration is done, reconnecting as often as it takes.

    Raises OrchestrationNotFound, TimeoutError, or ServiceUnreachable.
    """
    follower = Follower(orchestration_id, api_url)
    with httpx2.Client(auth=Signature(api_url)) as client:
        while not follower.done:
            try:
                yield from _connection(client, follower, deadline)
            except httpx2.TransportError as lost:
                time.sleep(follower.wait_after(lost, deadline))


def _connection(client: httpx2.Client, follower: Follower, deadline: Deadline) -> Iterator[Update]:
    with client.sse(follower.url, **_options(follower, deadline)) as source:
        if not follower.accept(source.response):
            return
        for event in source:
            if update := follower.update(event):
                yield update
            deadline.check(follower.summary)
            if follower.done or _must_hurry(event, deadline):
                return


async def stream_updates_async(
    orchestration_id: str, api_url: str, deadline: Deadline
) -> AsyncIterator[Update]:
    """Yield the updates of a stream as `streamed` does, without holding up the event loop."""
    follower = Follower(orchestration_id, api_url)
    async with httpx2.AsyncClient(auth=Signature(api_url)) as client:
        while not follower.done:
            try:
                async for update in _aconnection(client, follower, deadline):
                    yield update
            except httpx2.TransportError as lost:
                await asyncio.sleep(follower.wait_after(lost, deadline))


async def _aconnection(
    client: httpx2.AsyncClient, follower: Follower, deadline: Deadline
) -> AsyncIterator[Update]:
    async with client.sse(follower.url, **_options(follower, deadline)) as source:
        if not follower.accept(source.response):
            return
        async for event in source:
            if update := follower.update(event):
                yield update
            deadline.check(follower.summary)
            if follower.done or _must_hurry(event, deadline):
                return


def _must_hurry(event: ServerSentEvent, deadline: Deadline) -> bool:
    """Tell whether the next heartbeat would come after the deadline: a new connection waits until that."""
    left = deadline.left
    return event.event == live.HEARTBEAT and left is not None and left < live.HEARTBEAT_SECONDS


def _options(follower: Follower, deadline: Deadline) -> dict[str, Any]:
    """Return how to connect; the next bytes may take until a heartbeat is overdue, or until the deadline."""
    left = deadline.left
    patience = SILENCE_SECONDS if left is None else max(0.05, min(left, SILENCE_SECONDS))
    # A snapshot has a letter for each instance, so its size is the kick-off's.
    return {
        "headers": follower.headers,
        "timeout": httpx2.Timeout(10, read=patience),
        "max_event_size": None,
    }


class Signature(httpx2.Auth):
    """Signs requests as AWS wants them (SigV4), unless the API is this machine's own."""

    def __init__(self, api_url: str) -> None:
        self._is_local = urlsplit(api_url).hostname in ("127.0.0.1", "localhost", "::1")

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Add the signature."""
        if not self._is_local:
            # An idle header of a connection must not be signed: proxies change it.
            signed = clients.signed_headers(request.method, str(request.url), request.content)
            request.headers.update(signed)
        yield request


def _summary(view: live.OrchestrationView) -> Summary:
    fields = view.model_dump(exclude={"status", "cancelled", "counts", "eta_seconds"})
    counts = view.counts.model_dump(exclude={"waiting"})
    return Summary(**fields, **counts)


def _backlog(snapshot: live.Snapshot, summary: Summary) -> Update:
    ranks = {letter: LETTERS.index(letter) for letter in LETTERS}
    at = summary.last_outcome_at or summary.first_job_at or summary.started_at
    if at is None:
        return Update(summary, ())
    letters = enumerate(snapshot.statuses)
    moves = (Transition(index, ranks[one], at) for index, one in letters if one != State.WAITING[0])
    advances = (Advance(one.index, one.attempt, one.percent, one.message, at) for one in snapshot.progress)
    return Update(summary, tuple(moves), tuple(advances))
