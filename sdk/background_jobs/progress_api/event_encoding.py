"""The bytes of server-sent events, made of the versions in the feed."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from sse_starlette import ServerSentEvent

from background_jobs.core.read_model import FeedItem, Summary
from background_jobs.core.views import stream_events


def encode_versions(items: Iterable[FeedItem], summary: Summary) -> list[tuple[int, bytes]]:
    """Return the number and the events of each version."""
    now = datetime.now(UTC)
    return [(item.version, b"".join(_encode_version(item, summary, now))) for item in items]


def _encode_version(item: FeedItem, summary: Summary, now: datetime) -> Iterator[bytes]:
    """Yield the events of one version; its number is the id of the last of them."""
    if item.transitions or item.cancelled_at:
        event_id = f"{item.version}.1" if item.advances else str(item.version)
        event = stream_events.TransitionsEvent.of(item, summary, now)
        yield encode_event(stream_events.TRANSITIONS, event, event_id)
    if item.advances:
        yield encode_progress(item, summary.orchestration_id)


def encode_progress(item: FeedItem, orchestration_id: str) -> bytes:
    """Return the event of the progress in *item*."""
    return encode_event(
        stream_events.PROGRESS, stream_events.ProgressEvent.of(item, orchestration_id), str(item.version)
    )


def encode_event(
    name: str,
    data: stream_events.SnapshotEvent
    | stream_events.TransitionsEvent
    | stream_events.ProgressEvent
    | stream_events.CompletedEvent,
    event_id: str,
    retry: int | None = None,
) -> bytes:
    """Return one server-sent event; *retry* is in milliseconds."""
    return ServerSentEvent(data.model_dump_json(), event=name, id=event_id, retry=retry).encode()


def make_padding(length: int) -> bytes:
    """Return a comment of *length* bytes to follow each event, or nothing if *length* is 0."""
    # It has no empty line after it, which some readers would take for an event.
    return b": " + b" " * length + b"\r\n" if length else b""


class Heartbeat(ServerSentEvent):
    """The event that shows that a connection is alive; padded as others are, or a buffer would hold it."""

    def __init__(self, padding: bytes) -> None:
        super().__init__("{}", event=stream_events.HEARTBEAT)
        self._padding = padding

    def encode(self) -> bytes:
        """Return the bytes of the event and its padding."""
        return super().encode() + self._padding
