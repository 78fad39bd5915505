"""Appending without slowing the jobs down: a thread writes what has gathered, in blocks."""

import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Final, NamedTuple, Self

from background_jobs.core.blocks import InstanceRange, encode_event
from background_jobs.core.events import (
    ClaimAnnounced,
    JobCompleted,
    JobErrored,
    JobEvent,
    JobProgressed,
    JobStarted,
)
from background_jobs.core.limits import APPEND_SECONDS
from background_jobs.core.ownership import RangeLost
from background_jobs.worker.owned_ranges import EncodedEvent, OwnedRanges
from background_jobs.worker.working_time import seconds_since_boot

UNWRITTEN_EVENTS: Final = 2_000
"""Events in memory that are not in the log yet; beyond them, adding waits for the log."""
UNWRITTEN_BYTES: Final = 8_000_000
_FLUSH_EVENTS: Final = 1_000
_FLUSH_BYTES: Final = 1_000_000
"""Where so much has gathered, it is written before APPEND_SECONDS have passed."""
_REPLACEABLE: Final = (JobStarted, JobProgressed)
_OUTCOMES: Final = (JobCompleted, JobErrored)
_SMALL_BYTES: Final = 250
"""About what a start or a progress report takes."""


class _Unwritten(NamedTuple):
    instance: int
    content: JobEvent | bytes
    """An event for which an outcome in the same flush may stand, or an event as it is in a block."""
    size: int
    is_outcome: bool = False
    is_of_share: bool = False


class EventWriter:
    """A context in which the events of a share are appended in the background, in their order.

    An outcome stands for its own start and progress when they are written together. An error of the log is
    raised by the next call, and at the latest when the context ends. Nothing is appended after an error, so
    no number of a range is tried with two contents. *owned_at*, in seconds since boot, is when the ranges
    were this process's own for certain. *on_lost* is called when one is found lost.
    """

    def __init__(
        self, ranges: OwnedRanges, owned_at: float, on_lost: Callable[[], None] = lambda: None
    ) -> None:
        self._ranges = ranges
        self._owned_at = owned_at
        self._on_lost = on_lost
        self._pending: deque[_Unwritten] = deque()
        self._pending_bytes = 0
        self._writing = 0
        self._writing_bytes = 0
        self._oldest = 0.0
        self._changed = threading.Condition()
        self._flushing = False
        self._closed = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._write, name="event-writer", daemon=True)

    def add(self, event: JobEvent) -> None:
        """Hand over *event*; unless the log is throttled, it is in it within a fraction of a second.

        Waits while too much is unwritten. A report of progress is dropped instead, also after an error: it
        must cost its attempt no time, and must not end it.
        """
        if isinstance(event, _REPLACEABLE):
            unwritten = _Unwritten(event.index, event, _SMALL_BYTES)
        else:
            encoded = encode_event(event)
            is_outcome, is_of_share = isinstance(event, _OUTCOMES), isinstance(event, ClaimAnnounced)
            unwritten = _Unwritten(event.index, encoded, len(encoded), is_outcome, is_of_share)
        with self._changed:
            if isinstance(event, JobProgressed) and (self._error or self._is_full()):
                return
            if self._is_full():
                self._changed.wait_for(lambda: self._error or not self._is_full())
            self._raise_error()
            if not self._pending:
                self._oldest = time.monotonic()
            self._pending.append(unwritten)
            self._pending_bytes += unwritten.size
            if len(self._pending) == 1 or self._is_worth_a_flush():
                self._changed.notify_all()

    def flush(self) -> None:
        """Return when everything handed over is in the log."""
        with self._changed:
            self._flushing = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._error or not (self._pending or self._writing))
            self._flushing = False
            self._raise_error()

    def seconds_since_owned(self) -> float:
        """Return how long ago the share was this process's own for certain."""
        return seconds_since_boot() - self._owned_at

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.flush()
        finally:
            with self._changed:
                self._closed = True
                self._changed.notify_all()
            self._thread.join()

    def _write(self) -> None:
        while batch := self._next_batch():
            try:
                self._append(batch)
            except Exception as error:  # noqa: BLE001 -- raised in the thread that adds
                with self._changed:
                    self._error = error
                    self._changed.notify_all()
                if isinstance(error, RangeLost):
                    self._on_lost()
                return
            with self._changed:
                self._writing = self._writing_bytes = 0
                self._changed.notify_all()

    def _next_batch(self) -> list[_Unwritten]:
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._closed)
            self._changed.wait_for(
                lambda: self._is_worth_a_flush() or self._flushing or self._closed,
                self._oldest + APPEND_SECONDS - time.monotonic(),
            )
            batch = list(self._pending)
            self._pending.clear()
            self._writing, self._writing_bytes = len(batch), self._pending_bytes
            self._pending_bytes = 0
            return batch

    def _append(self, batch: list[_Unwritten]) -> None:
        """Append a batch, one block after the other."""
        ended = {unwritten.instance for unwritten in batch if unwritten.is_outcome}
        by_range: dict[InstanceRange, list[EncodedEvent]] = {}
        for index, content, _, _, is_of_share in batch:
            if not isinstance(content, bytes):
                if index in ended:
                    continue
                content = encode_event(content)  # noqa: PLW2901
            encoded = EncodedEvent(index, content, is_of_share)
            by_range.setdefault(self._ranges.find(index), []).append(encoded)
        for instances, encoded_events in by_range.items():
            # The log says that the share was ours when it was asked; the answer may be old by now.
            asked_at = seconds_since_boot()
            self._ranges.append(instances, encoded_events)
            self._owned_at = asked_at

    def _is_full(self) -> bool:
        return (
            len(self._pending) + self._writing >= UNWRITTEN_EVENTS
            or self._pending_bytes + self._writing_bytes >= UNWRITTEN_BYTES
        )

    def _is_worth_a_flush(self) -> bool:
        return len(self._pending) >= _FLUSH_EVENTS or self._pending_bytes >= _FLUSH_BYTES

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error
