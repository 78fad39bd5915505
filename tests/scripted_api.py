"""A progress API that answers as a test says, one answer after the other; the last one is repeated."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from background_jobs.core.views import stream_events


class Answer(NamedTuple):
    """An answer of the API, or of what stands before it."""

    status: int
    body: str = ""


def stream_of(*events: stream_events.SnapshotEvent | stream_events.CompletedEvent) -> Answer:
    """Return the answer that is a stream of *events*, and ends."""
    names = {
        stream_events.SnapshotEvent: stream_events.SNAPSHOT,
        stream_events.CompletedEvent: stream_events.COMPLETED,
    }
    return Answer(
        200,
        "".join(
            f"id: {number}\nevent: {names[type(event)]}\ndata: {event.model_dump_json()}\n\n"
            for number, event in enumerate(events, start=1)
        ),
    )


@contextmanager
def scripted_api(*answers: Answer) -> Iterator[str]:
    """Serve *answers* on this machine, and return the address."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(answer.status)
            self.send_header("content-type", "text/event-stream" if answer.status == 200 else "text/html")
            self.end_headers()
            self.wfile.write(answer.body.encode())

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
