"""Callers that fork after they have used the service, as prefork servers do."""

import json
import os
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from background_jobs.core.events import POINTER_SORT
from background_jobs.core.tables import PARTITION_KEY
from tests.adapters import forked_callers


class Pointers(BaseHTTPRequestHandler):
    """Answers GetItem like DynamoDB, and notes over which connection each caller asks."""

    protocol_version = "HTTP/1.1"
    callers: ClassVar[dict[int, set[str]]] = defaultdict(set)

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        orchestration_id = request["Key"][PARTITION_KEY]["S"].partition("#")[2]
        self.callers[self.client_address[1]].add(orchestration_id.partition("-")[0])
        body = json.dumps({"Item": {POINTER_SORT: {"S": f"service-of-{orchestration_id}"}}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def url() -> Iterator[str]:
    Pointers.callers.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Pointers) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_processes_that_are_forked_from_a_caller_share_no_connection_with_it(url: str) -> None:
    """Processes that share one now and then read each other's answers."""
    variables = os.environ | {"AWS_ENDPOINT_URL": url}
    callers = subprocess.run(
        [sys.executable, "-m", "tests.adapters.forked_callers"],
        env=variables,
        timeout=120,
        check=False,
        capture_output=True,
    )
    assert callers.returncode == 0, callers.stderr.decode()
    assert len(Pointers.callers) == forked_callers.CHILDREN + 1
    assert all(len(callers) == 1 for callers in Pointers.callers.values())
