"""Sharing the reads of the read model: one task polls for all clients that watch an orchestration."""

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

from background_jobs.aws.stores import Stores
from background_jobs.core.fold import fold
from background_jobs.core.metrics import FEED_LAG_FIELD
from background_jobs.core.read_model import FeedItem, ReadModel, Summary
from background_jobs.core.views import stream_events
from background_jobs.core.views.orchestration import OrchestrationView
from background_jobs.progress_api.event_encoding import (
    encode_event,
    encode_progress,
    encode_versions,
    make_padding,
)
from background_jobs.settings import ApiSettings

RETRY_MILLISECONDS: Final = 1_000
_EVENT_ID: Final = re.compile(r"(\d{1,12})(\.1)?")
_TAIL: Final = 256
"""Encoded versions that are kept for slow clients; older ones are read again."""
_IDLE_FACTOR: Final = 1.4
_LONGEST_POLL: Final = 1.0
_log = logging.getLogger(__name__)


class Position(NamedTuple):
    """The place of a client in the stream: it has received all up to *version*, or all but its progress."""

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


class Poll:
    """The poll of one orchestration, while clients watch it."""

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
        """Start polling."""
        self._task = asyncio.create_task(self._poll())

    def end(self) -> None:
        """Stop polling."""
        if self._task is not None:
            self._task.cancel()

    async def snapshot(self) -> tuple[int, bytes]:
        """Return the version and the event of a snapshot as of now; concurrent callers share it."""
        async with self._snapshot_lock:
            if self._snapshot is None or self._snapshot[0] < self.summary.version:
                self._snapshot = await asyncio.to_thread(self._take_snapshot)
            return self._snapshot

    async def wait_for_versions(self, version: int) -> list[tuple[int, bytes]]:
        """Wait for a version after *version*, or for the end; return the events of each version since."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.summary.version > version or self.summary.done)
        numbers = list(self._tail)
        if self.summary.version <= version or (numbers and numbers[0] <= version + 1):
            return [(number, self._tail[number]) for number in numbers if number > version]
        return await asyncio.to_thread(self._read, version, self.summary)

    async def read_progress(self, version: int) -> bytes:
        """Return the second event of *version*, for a client that received only the first one.

        It is empty where the feed has none: the version has expired, or the client made its id up.
        """
        return await asyncio.to_thread(self._read_progress_event, version)

    def encode_completed(self) -> bytes:
        """Return the last event of the stream."""
        view = OrchestrationView.of(self.summary, datetime.now(UTC))
        return encode_event(
            stream_events.COMPLETED,
            stream_events.CompletedEvent(orchestration=view),
            str(self.summary.version),
        )

    async def _poll(self) -> None:
        pause = self._poll_seconds
        while not self.summary.done:
            try:
                change = await asyncio.to_thread(self._read_change)
            except Exception as error:  # noqa: BLE001 -- clients wait for the next read
                _log.warning("Orchestration %s could not be read: %s", self.id, error)
                pause = _LONGEST_POLL
            else:
                pause = self._poll_seconds if change else min(_LONGEST_POLL, pause * _IDLE_FACTOR)
                if change:
                    await self._publish(*change)
            await asyncio.sleep(max(pause, self._poll_seconds))

    def _read_change(self) -> tuple[Summary, list[tuple[int, bytes]]] | None:
        summary = self._stores.read_model.read_summary(self.id)
        if summary.version == self.summary.version:
            return None
        # No client needs what came before the first read: snapshots are later, and the versions that a
        # resuming client lacks are read for it.
        since = self.summary.version or summary.version - 1
        items = list(self._items(since, summary))
        _log_lag(items, self.id)
        return summary, encode_versions(items, summary)

    async def _publish(self, summary: Summary, versions: list[tuple[int, bytes]]) -> None:
        self._tail.update(versions)
        while len(self._tail) > _TAIL:
            self._tail.popitem(last=False)
        self.summary = summary
        async with self._changed:
            self._changed.notify_all()

    def _read(self, after: int, summary: Summary) -> list[tuple[int, bytes]]:
        return encode_versions(self._items(after, summary), summary)

    def _items(self, after: int, summary: Summary) -> Iterator[FeedItem]:
        for item in self._stores.read_model.read_feed(self.id, after):
            if item.version > summary.version:
                return
            yield item

    def _read_progress_event(self, version: int) -> bytes:
        item = next(self._stores.read_model.read_feed(self.id, version - 1), None)
        if item is None or item.version != version or not item.advances:
            return b""
        return encode_progress(item, self.id)

    def _take_snapshot(self) -> tuple[int, bytes]:
        model = self._stores.read_model.read_snapshot(self.id)
        if model.summary.total is None:
            started = self._stores.event_log.read_started(self.id)
            model = fold(ReadModel(model.summary), [started]).model
        snapshot = stream_events.SnapshotEvent.of(model, datetime.now(UTC))
        version = model.summary.version
        return version, encode_event(stream_events.SNAPSHOT, snapshot, str(version), retry=RETRY_MILLISECONDS)


def _log_lag(items: Iterable[FeedItem], orchestration_id: str) -> None:
    """Log how late the oldest of the new transitions reaches the clients."""
    times = [transition.at for item in items for transition in item.transitions]
    if times:
        lag = max(0.0, (datetime.now(UTC) - min(times)).total_seconds())
        _log.info("Feed", extra={"orchestration_id": orchestration_id, FEED_LAG_FIELD: lag})


class Hub:
    """The polls of all orchestrations that clients of this process watch."""

    def __init__(self, stores: Stores, api: ApiSettings) -> None:
        self._stores = stores
        self._api = api
        self._polls: dict[str, Poll] = {}
        self.padding = make_padding(api.stream_padding_bytes)
        """What follows each event of a stream, heartbeats included."""

    @asynccontextmanager
    async def _join_poll(self, orchestration_id: str) -> AsyncIterator[Poll]:
        poll = self._polls.get(orchestration_id)
        if poll is None:
            poll = Poll(orchestration_id, self._stores, self._api.stream_poll_seconds)
            self._polls[orchestration_id] = poll
            poll.begin()
        poll.watchers += 1
        try:
            yield poll
        finally:
            poll.watchers -= 1
            if not poll.watchers:
                poll.end()
                self._polls.pop(orchestration_id, None)

    async def events(self, orchestration_id: str, position: Position | None) -> AsyncIterator[bytes]:
        """Yield the events after *position*, or a snapshot first; end when the orchestration does."""
        padding = self.padding
        ends_at = time.monotonic() + (self._api.stream_seconds or float("inf"))
        async with self._join_poll(orchestration_id) as poll:
            if position is None:
                version, event = await poll.snapshot()
                yield event + padding
            else:
                version = position.version
                if position.progress_is_due and (event := await poll.read_progress(version)):
                    yield event + padding
            while not (poll.summary.done and version >= poll.summary.version):
                left = ends_at - time.monotonic()
                try:
                    versions = await asyncio.wait_for(
                        poll.wait_for_versions(version), None if math.isinf(left) else left
                    )
                except TimeoutError:
                    # The client reconnects with the id of the last event, after the time that `retry` named.
                    return
                if events := b"".join(event for _, event in versions):
                    yield events + padding
                version = versions[-1][0] if versions else poll.summary.version
            yield poll.encode_completed() + padding
