"""Sharing the look at the read model: however many watch an orchestration, one task polls for them all."""

import asyncio
import logging
import math
import re
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final, NamedTuple

from sse_starlette import ServerSentEvent

from background_jobs.aws.stores import Stores
from background_jobs.core.fold import FeedItem, ReadModel, Summary, fold
from background_jobs.core.metrics import FEED_LAG_FIELD
from background_jobs.core.views import live
from background_jobs.settings import ApiSettings

RETRY_MILLISECONDS: Final = 1_000
_EVENT_ID: Final = re.compile(r"(\d{1,12})(\.1)?")
_TAIL: Final = 256
"""Versions that are kept, encoded, for those who read slowly; older ones are read again."""
_IDLE_FACTOR: Final = 1.4
_LONGEST_POLL: Final = 1.0
_log = logging.getLogger(__name__)


class Position(NamedTuple):
    """What a client has received: everything up to *version*, or all but its progress."""

    version: int
    progress_is_due: bool

    @classmethod
    def of(cls, event_id: str) -> "Position | None":
        """Read the id of an event; None if it is not one of ours.

        >>> Position.of("7.1")
        Position(version=7, progress_is_due=True)
        """
        matched = _EVENT_ID.fullmatch(event_id)
        return cls(int(matched[1]), matched[2] is not None) if matched else None


class Watched:
    """One orchestration, while somebody watches it."""

    def __init__(self, orchestration_id: str, stores: Stores, poll_seconds: float) -> None:
        self.id = orchestration_id
        self.watchers = 0
        self.summary = Summary(orchestration_id=orchestration_id)
        self._stores = stores
        self._poll_seconds = poll_seconds
        self._tail: OrderedDict[int, bytes] = OrderedDict()
        self._changed = asyncio.Condition()
        self._snapshot: tuple[int, bytes] | None = None
        self._snapshot_lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Start to poll."""
        self._task = asyncio.create_task(self._poll())

    def end(self) -> None:
        """Stop to poll."""
        if self._task is not None:
            self._task.cancel()

    async def snapshot(self) -> tuple[int, bytes]:
        """Return the version of a snapshot as of now, and its event; those who ask at once share it."""
        async with self._snapshot_lock:
            if self._snapshot is None or self._snapshot[0] < self.summary.version:
                self._snapshot = await asyncio.to_thread(self._take_snapshot)
            return self._snapshot

    async def after(self, version: int) -> list[tuple[int, bytes]]:
        """Wait for what comes after *version*, or the end; return the events of each version since."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.summary.version > version or self.summary.done)
        known = list(self._tail)
        if self.summary.version <= version or (known and known[0] <= version + 1):
            return [(number, self._tail[number]) for number in known if number > version]
        return await asyncio.to_thread(self._read, version, self.summary)

    async def progress_of(self, version: int) -> bytes:
        """Return the second event of *version*, for who received the first one only."""
        return await asyncio.to_thread(self._read_progress_of, version)

    def completed(self) -> bytes:
        """Return the last event of the stream."""
        view = live.OrchestrationView.of(self.summary, datetime.now(UTC))
        return _event(live.COMPLETED, live.Completed(orchestration=view), str(self.summary.version))

    async def _poll(self) -> None:
        pause = self._poll_seconds
        while not self.summary.done:
            try:
                news = await asyncio.to_thread(self._look)
            except Exception as error:  # noqa: BLE001 -- those who watch wait for the next look
                _log.warning("Orchestration %s could not be read: %s", self.id, error)
                pause = _LONGEST_POLL
            else:
                pause = self._poll_seconds if news else min(_LONGEST_POLL, pause * _IDLE_FACTOR)
                if news:
                    await self._tell(*news)
            await asyncio.sleep(max(pause, self._poll_seconds))

    def _look(self) -> tuple[Summary, list[tuple[int, bytes]]] | None:
        summary = self._stores.read_model.read_summary(self.id)
        if summary.version == self.summary.version:
            return None
        # Nobody needs what came before the first look: snapshots are later, and resumers read for themselves.
        since = self.summary.version or summary.version - 1
        items = list(self._items(since, summary))
        _log_lag(items, self.id)
        return summary, _encoded(items, summary)

    async def _tell(self, summary: Summary, news: list[tuple[int, bytes]]) -> None:
        self._tail.update(news)
        while len(self._tail) > _TAIL:
            self._tail.popitem(last=False)
        self.summary = summary
        async with self._changed:
            self._changed.notify_all()

    def _read(self, after: int, summary: Summary) -> list[tuple[int, bytes]]:
        return _encoded(self._items(after, summary), summary)

    def _items(self, after: int, summary: Summary) -> Iterator[FeedItem]:
        for item in self._stores.read_model.read_feed(self.id, after):
            if item.version > summary.version:
                return
            yield item

    def _read_progress_of(self, version: int) -> bytes:
        item = next(iter(self._stores.read_model.read_feed(self.id, version - 1)))
        return _progress_event(item, self.id)

    def _take_snapshot(self) -> tuple[int, bytes]:
        model = self._stores.read_model.read_snapshot(self.id)
        if model.summary.total is None:
            started = self._stores.event_log.read_started(self.id)
            model = fold(ReadModel(model.summary), [started]).model
        snapshot = live.Snapshot.of(model, datetime.now(UTC))
        version = model.summary.version
        return version, _event(live.SNAPSHOT, snapshot, str(version), retry=RETRY_MILLISECONDS)


def _encoded(items: Iterable[FeedItem], summary: Summary) -> list[tuple[int, bytes]]:
    """Return the number and the events of each version."""
    now = datetime.now(UTC)
    return [(item.version, b"".join(_events(item, summary, now))) for item in items]


def _log_lag(items: Iterable[FeedItem], orchestration_id: str) -> None:
    """Log how late the oldest of what is news reaches those who watch."""
    moments = [transition.at for item in items for transition in item.transitions]
    if moments:
        lag = max(0.0, (datetime.now(UTC) - min(moments)).total_seconds())
        _log.info("News", extra={"orchestration_id": orchestration_id, FEED_LAG_FIELD: lag})


def _events(item: FeedItem, summary: Summary, now: datetime) -> Iterator[bytes]:
    """Yield the events of one version; its number is the id of the last of them."""
    if item.transitions or item.cancelled_at:
        news = live.Transitions.of(item, summary, now)
        yield _event(live.TRANSITIONS, news, f"{item.version}.1" if item.advances else str(item.version))
    if item.advances:
        yield _progress_event(item, summary.orchestration_id)


def _progress_event(item: FeedItem, orchestration_id: str) -> bytes:
    return _event(live.PROGRESS, live.ProgressNews.of(item, orchestration_id), str(item.version))


def _event(
    name: str,
    data: live.Snapshot | live.Transitions | live.ProgressNews | live.Completed,
    event_id: str,
    retry: int | None = None,
) -> bytes:
    return ServerSentEvent(data.model_dump_json(), event=name, id=event_id, retry=retry).encode()


class Hub:
    """The orchestrations that are watched in this process."""

    def __init__(self, stores: Stores, api: ApiSettings) -> None:
        self._stores = stores
        self._api = api
        self._watched: dict[str, Watched] = {}

    @asynccontextmanager
    async def _watching(self, orchestration_id: str) -> AsyncIterator[Watched]:
        watched = self._watched.get(orchestration_id)
        if watched is None:
            watched = Watched(orchestration_id, self._stores, self._api.stream_poll_seconds)
            self._watched[orchestration_id] = watched
            watched.begin()
        watched.watchers += 1
        try:
            yield watched
        finally:
            watched.watchers -= 1
            if not watched.watchers:
                watched.end()
                self._watched.pop(orchestration_id, None)

    async def events(self, orchestration_id: str, position: Position | None) -> AsyncIterator[bytes]:
        """Yield the events after *position*, or a snapshot first; end when the orchestration does."""
        # A comment without an empty line after it, which some readers would take for an event.
        padding = b": " + b" " * self._api.stream_padding_bytes + b"\r\n"
        padding = padding if self._api.stream_padding_bytes else b""
        ends_at = time.monotonic() + (self._api.stream_seconds or float("inf"))
        async with self._watching(orchestration_id) as watched:
            if position is None:
                version, event = await watched.snapshot()
                yield event + padding
            else:
                version = position.version
                if position.progress_is_due:
                    yield await watched.progress_of(version) + padding
            while not (watched.summary.done and version >= watched.summary.version):
                left = ends_at - time.monotonic()
                try:
                    news = await asyncio.wait_for(watched.after(version), None if math.isinf(left) else left)
                except TimeoutError:
                    # The client comes back with the id of the last event, after the time that `retry` said.
                    return
                if events := b"".join(event for _, event in news):
                    yield events + padding
                version = news[-1][0] if news else watched.summary.version
            yield watched.completed() + padding
