"""Appending without slowing the jobs down: a thread writes what has gathered, in transactions."""

import threading
import time
from collections import deque
from types import TracebackType
from typing import Final, Self

from background_jobs.aws.event_log import EventLog
from background_jobs.core.events import Event, JobCompleted, JobErrored, JobProgressed, JobStarted
from background_jobs.core.limits import APPEND_SECONDS, TRANSACTION_ITEMS

_MAX_PENDING: Final = 20 * TRANSACTION_ITEMS
"""Events in memory; beyond them, adding waits for the log."""


class EventWriter:
    """A context in which events are appended in the background, in their order.

    An outcome stands for its own start and progress when they are written together. An error of the log is
    raised by the next call, and at the latest when the context ends.
    """

    def __init__(self, event_log: EventLog) -> None:
        self._event_log = event_log
        self._pending: deque[Event] = deque()
        self._changed = threading.Condition()
        self._writing = 0
        self._flushing = False
        self._closed = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._write, name="event-writer", daemon=True)

    def add(self, event: Event) -> None:
        """Hand over *event*; it is in the log within a fraction of a second."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._pending) < _MAX_PENDING or self._error)
            self._raise_error()
            self._pending.append(event)
            if len(self._pending) in (1, TRANSACTION_ITEMS):
                self._changed.notify_all()

    def flush(self) -> None:
        """Return when everything handed over is in the log."""
        with self._changed:
            self._flushing = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._error or not (self._pending or self._writing))
            self._flushing = False
            self._raise_error()

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
                return
            with self._changed:
                self._writing = 0
                self._changed.notify_all()

    def _append(self, batch: list[Event]) -> None:
        raise NotImplementedError(self._event_log, batch)  # blocks are appended by ownership

    def _next_batch(self) -> list[Event]:
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._closed)
            deadline = time.monotonic() + APPEND_SECONDS
            self._changed.wait_for(
                lambda: len(self._pending) >= TRANSACTION_ITEMS or self._flushing or self._closed,
                deadline - time.monotonic(),
            )
            ended = {event.index for event in self._pending if isinstance(event, JobCompleted | JobErrored)}
            batch: list[Event] = []
            while self._pending and len(batch) < TRANSACTION_ITEMS:
                event = self._pending.popleft()
                if not (isinstance(event, JobStarted | JobProgressed) and event.index in ended):
                    batch.append(event)
            self._writing = len(batch)
            self._changed.notify_all()
            return batch

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error
