"""DBOS on Postgres: a workflow a task on a queue; run as a script, it is a worker.

A worker fetches as many tasks a poll as it may run at once, so few at once would mean few a second.
"""

import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

from dbos import DBOS, DBOSClient

from benchmarks.peers.protocol import Place
from benchmarks.peers.work import JOBS

_QUEUE = "peers"
_VERSION = "1"
_POLL_SECONDS = 0.05
_START_SECONDS = 60
_WORKFLOWS = {name: DBOS.workflow(name=name)(job) for name, job in JOBS.items()}


class _Caller:
    def __init__(self, address: str) -> None:
        self._client: Any = DBOSClient(system_database_url=address)
        self._wait_for_queue()

    def _wait_for_queue(self) -> None:
        """Wait until the first worker ever has made the tables and the queue."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                if self._client.retrieve_queue(_QUEUE) is not None:
                    return
            except Exception:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.05)

    def kick_off(self, job: str, arguments: Iterable[Any]) -> list[str]:
        options: Any = {"workflow_name": job, "queue_name": _QUEUE, "app_version": _VERSION}
        return [self._client.enqueue(options, argument).get_workflow_id() for argument in arguments]

    def results(self, handle: list[str], patience: float) -> Iterator[Any]:
        quiet_since = time.monotonic()
        left = set(handle)
        while left and time.monotonic() - quiet_since < patience:
            found = self._client.list_workflows(
                workflow_ids=list(left)[:1_000], status="SUCCESS", load_input=False
            )
            for workflow in found:
                left.discard(workflow.workflow_id)
                yield workflow.output
            if found:
                quiet_since = time.monotonic()
            else:
                time.sleep(0.005)


def connect(place: Place) -> _Caller:
    """Return the caller."""
    return _Caller(place.address)


def work(executor: str, at_once: int) -> None:
    """Run what is on the queue, *at_once* at a time, for ever."""
    config: Any = {
        "name": "peers",
        "system_database_url": os.environ["PEER_ADDRESS"],
        "executor_id": executor,
        "application_version": _VERSION,
        "log_level": "ERROR",
    }
    DBOS(config=config)
    DBOS.launch()
    DBOS.register_queue(_QUEUE, worker_concurrency=at_once, polling_interval_sec=_POLL_SECONDS)
    threading.Event().wait()


if __name__ == "__main__":
    work(sys.argv[1], int(sys.argv[2]))
