"""Watching a stream that sends heartbeats only, or nothing."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from background_jobs.core.read_model import ReadModel, Summary
from background_jobs.core.views import stream_events
from background_jobs.orchestration_service import streaming
from background_jobs.orchestration_service.deadlines import Deadline
from background_jobs.orchestration_service.steps import run_steps, run_steps_async
from background_jobs.orchestration_service.streaming import StreamLost, StreamReader, follow_stream
from tests.unit.histories import ORCHESTRATION_ID

HEARTBEATS = 300
SUMMARY = Summary(
    orchestration_id=ORCHESTRATION_ID, version=1, total=1, started_at=datetime(2026, 11, 24, tzinfo=UTC)
)


class Quiet(BaseHTTPRequestHandler):
    """Send a snapshot, and then heartbeats."""

    outlasted = False

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        snapshot = stream_events.SnapshotEvent.of(ReadModel(SUMMARY), datetime.now(UTC))
        try:
            self.wfile.write(f"id: 1\nevent: snapshot\ndata: {snapshot.model_dump_json()}\n\n".encode())
            for _ in range(HEARTBEATS):
                self.wfile.write(f"event: {stream_events.HEARTBEAT}\ndata: {{}}\n\n".encode())
                time.sleep(0.05)
        except OSError:
            return
        type(self).outlasted = True

    def log_message(self, *_: object) -> None:
        return


class Silent(BaseHTTPRequestHandler):
    """End each stream before its first event, as what stands before an API may when the API fails."""

    connections = 0

    def do_GET(self) -> None:
        type(self).connections += 1
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def url() -> Iterator[str]:
    with serving(Quiet) as address:
        yield address


def watch(url: str, seconds: float = 1) -> None:
    deadline = Deadline.after(seconds, ORCHESTRATION_ID)
    list(run_steps(follow_stream(StreamReader(ORCHESTRATION_ID, url), deadline)))


def await_watching(url: str) -> None:
    async def follow() -> None:
        steps = follow_stream(StreamReader(ORCHESTRATION_ID, url), Deadline.after(1, ORCHESTRATION_ID))
        async for _ in run_steps_async(steps):
            pass

    asyncio.run(follow())


@pytest.mark.parametrize("watching", [watch, await_watching])
def test_heartbeats_do_not_keep_a_watcher_beyond_its_time(url: str, watching: Callable[[str], None]) -> None:
    with pytest.raises(TimeoutError, match="0 of 1 instances have an outcome"):
        watching(url)
    assert not Quiet.outlasted


def test_streams_that_end_before_any_event_are_given_up_and_do_not_follow_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given an API whose streams all end before their first event, and a watcher that gives up after a retry
    monkeypatch.setattr(streaming, "GIVE_UP_SECONDS", 0.0)
    monkeypatch.setattr(Silent, "connections", 0)
    # when it watches, then it gives up
    with serving(Silent) as address, pytest.raises(StreamLost, match="ended the stream before any event"):
        watch(address, seconds=30)
    assert Silent.connections == 2


def test_streams_that_end_before_any_event_keep_no_watcher_beyond_its_time() -> None:
    with serving(Silent) as address, pytest.raises(TimeoutError, match="its state was not known by then"):
        watch(address)
