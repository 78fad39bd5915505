"""Following an orchestration over the server-sent events of the progress API."""

import logging
import time
from functools import partial
from typing import Any, Final

import httpx2
from httpx2 import ServerSentEvent

from background_jobs.aws.stores import Stores
from background_jobs.core.errors import OrchestrationNotFound, ServiceUnreachable
from background_jobs.core.read_model import Advance, Summary, Transition
from background_jobs.core.statuses import LETTERS, State, rank_of
from background_jobs.core.views import stream_events
from background_jobs.core.views.orchestration import OrchestrationView
from background_jobs.orchestration_service.deadlines import Deadline
from background_jobs.orchestration_service.steps import Emit, Pause, Steps, call
from background_jobs.orchestration_service.stream_connection import (
    RefusedForNow,
    StreamConnection,
    check_answer,
)
from background_jobs.orchestration_service.watching import Update, follow_read_model

SILENCE_SECONDS: Final = 45.0
"""Heartbeats come every 15 seconds; a stream that is silent for longer is dead."""
GIVE_UP_SECONDS: Final = 60.0
"""How long the API may be out of reach before the read model is watched instead."""
_NOT_FOUND: Final = 404
_NO_CONTENT: Final = 204
_LONGEST_WAIT: Final = 5.0
_log = logging.getLogger(__name__)


class StreamLost(ServiceUnreachable):
    """The API has been out of reach for longer than watching waits."""


class StreamReader:
    """Reads updates from the events of a stream, and knows where the next connection resumes."""

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
        """Tell whether *response* is a stream to read.

        Raises OrchestrationNotFound, ServiceUnreachable, or RefusedForNow.
        """
        if response.status_code == _NOT_FOUND:
            raise OrchestrationNotFound(self._orchestration_id)
        check_answer(response)
        self.done = response.status_code == _NO_CONTENT
        return not self.done

    def choose_pause(self, lost: Exception, deadline: Deadline) -> float:
        """Return how many seconds to wait before the next connection, after one that was *lost*.

        Raises TimeoutError or StreamLost.
        """
        deadline.check(self._summary)
        now = time.monotonic()
        self._lost_at = self._lost_at or now
        if now - self._lost_at > GIVE_UP_SECONDS:
            raise StreamLost(
                f"The progress API at {self.url} did not answer for {GIVE_UP_SECONDS:g} s: {lost}. "
                "Check BACKGROUND_JOBS_API_URL."
            ) from lost
        asked_for = lost.retry_after if isinstance(lost, RefusedForNow) else 0.0
        pause = max(min(_LONGEST_WAIT, self._retry_seconds), min(GIVE_UP_SECONDS, asked_for))
        return deadline.cap(pause)

    def read_update(self, event: ServerSentEvent) -> Update | None:
        """Return the update that *event* carries; None if it carries none."""
        self._lost_at = None
        if event.retry is not None:
            self._retry_seconds = event.retry / 1000
        self._last_event_id = event.id or self._last_event_id
        match event.event:
            case stream_events.SNAPSHOT:
                snapshot = stream_events.SnapshotEvent.model_validate_json(event.data)
                self._summary = _to_summary(snapshot.orchestration)
                return _to_first_update(snapshot, self._summary)
            case stream_events.TRANSITIONS:
                return self._read_transitions(event)
            case stream_events.PROGRESS:
                views = stream_events.ProgressEvent.model_validate_json(event.data).progress
                advances = (
                    Advance(view.index, view.attempt, view.percent, view.message, view.at)
                    for view in views
                    if view.at is not None
                )
                return Update(self._summary, (), tuple(advances))
            case stream_events.COMPLETED:
                completed = stream_events.CompletedEvent.model_validate_json(event.data)
                self.done, self._summary = True, _to_summary(completed.orchestration)
                return Update(self._summary, ())
        return None

    def _read_transitions(self, event: ServerSentEvent) -> Update:
        moved = stream_events.TransitionsEvent.model_validate_json(event.data)
        self._summary = self._summary.model_copy(
            update={
                "version": int(event.id.partition(".")[0]),
                "first_job_at": self._summary.first_job_at
                or min((view.at for view in moved.transitions), default=None),
                "cancelled_at": moved.cancelled_at,
                "running": moved.counts.running,
                "completed": moved.counts.completed,
                "errored": moved.counts.errored,
            }
        )
        transitions = (
            Transition(view.index, rank_of(view.state, view.attempt), view.at) for view in moved.transitions
        )
        return Update(self._summary, tuple(transitions))

    @property
    def summary(self) -> Summary:
        """Return how the orchestration stood at the last event."""
        return self._summary


def follow_api(orchestration_id: str, api_url: str, stores: Stores, deadline: Deadline) -> Steps[Update]:
    """Emit the updates of the API's stream; once the API is out of reach for long, those of the read model.

    Raises OrchestrationNotFound, TimeoutError, or ServiceUnreachable.
    """
    reader = StreamReader(orchestration_id, api_url)
    try:
        yield from follow_stream(reader, deadline)
    except StreamLost as lost:
        yield from call(partial(_check_read_model, orchestration_id, stores, lost))
        _log.warning("%s The read model is watched instead.", lost)
        yield from follow_read_model(orchestration_id, stores, deadline, after=reader.summary)


def _check_read_model(orchestration_id: str, stores: Stores, lost: StreamLost) -> None:
    """Raise ServiceUnreachable if this caller cannot read the read model either."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 -- slow to import

    try:
        stores.read_model.read_summary(orchestration_id)
    except (BotoCoreError, ClientError, ServiceUnreachable) as error:
        raise ServiceUnreachable(f"{lost} The read model cannot be read either: {error}") from error


def follow_stream(reader: StreamReader, deadline: Deadline) -> Steps[Update]:
    """Emit the updates of a stream until the orchestration is done, reconnecting as often as it takes.

    Raises OrchestrationNotFound, TimeoutError, ServiceUnreachable, or StreamLost.
    """
    connection = StreamConnection(reader.url)
    while not reader.done:
        try:
            yield from _follow_connection(connection, reader, deadline)
        except (httpx2.TransportError, RefusedForNow) as lost:
            yield from connection.close()
            yield Pause(reader.choose_pause(lost, deadline))
        else:
            yield from connection.close()


def _follow_connection(
    connection: StreamConnection, reader: StreamReader, deadline: Deadline
) -> Steps[Update]:
    response = yield from connection.open(reader.headers, _choose_patience(deadline))
    if not reader.accept(response):
        return
    is_silent = True
    while event := (yield from connection.read()):
        is_silent = False
        if update := reader.read_update(event):
            yield Emit(update)
        deadline.check(reader.summary)
        if reader.done or _must_hurry(event, deadline):
            return
    if is_silent:  # the next one may end as early, and must not follow at once
        raise RefusedForNow("it ended the stream before any event", retry_after=0.0)


def _must_hurry(event: ServerSentEvent, deadline: Deadline) -> bool:
    """Tell whether the next heartbeat would come after the deadline: a new connection waits until that."""
    left = deadline.left
    return (
        event.event == stream_events.HEARTBEAT and left is not None and left < stream_events.HEARTBEAT_SECONDS
    )


def _choose_patience(deadline: Deadline) -> float:
    """Return how many seconds to wait for data: until a heartbeat is overdue, or until the deadline."""
    return max(0.05, deadline.cap(SILENCE_SECONDS))


def _to_summary(view: OrchestrationView) -> Summary:
    fields: dict[str, Any] = view.model_dump(exclude={"status", "cancelled", "counts", "eta_seconds"})
    return Summary(**fields, **view.counts.model_dump(exclude={"waiting"}))


def _to_first_update(snapshot: stream_events.SnapshotEvent, summary: Summary) -> Update:
    at = summary.last_outcome_at or summary.first_job_at or summary.started_at
    if at is None:
        return Update(summary, ())
    transitions = (
        Transition(index, LETTERS.index(letter), at)
        for index, letter in enumerate(snapshot.statuses)
        if letter != State.WAITING[0]
    )
    advances = (
        Advance(view.index, view.attempt, view.percent, view.message, at) for view in snapshot.progress
    )
    return Update(summary, tuple(transitions), tuple(advances))
