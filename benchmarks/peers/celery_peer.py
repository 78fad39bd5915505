"""Celery, with Redis as broker and as backend, and acknowledged late, so that a lost worker loses nothing."""

import os
from collections.abc import Iterable, Iterator
from typing import Any

import celery
from celery.result import AsyncResult

from benchmarks.peers.protocol import Place
from benchmarks.peers.work import JOBS

_ADDRESS = os.environ["PEER_ADDRESS"]
app: Any = celery.Celery("peers", broker=_ADDRESS, backend=_ADDRESS)
app.conf.update(task_acks_late=True, task_reject_on_worker_lost=True)
_TASKS = {name: app.task(name=name)(job) for name, job in JOBS.items()}


class _Caller:
    def kick_off(self, job: str, arguments: Iterable[Any]) -> list[str]:
        return [_TASKS[job].delay(argument).id for argument in arguments]

    def results(self, handle: list[str], patience: float) -> Iterator[Any]:
        given_up = False
        for task in handle:
            result = AsyncResult(task, app=app)
            # `get` of what is not there takes a second, so once given up only what is there is fetched.
            if not given_up or result.ready():
                try:
                    yield result.get(timeout=patience, interval=0.005)
                except celery.exceptions.TimeoutError:
                    given_up = True


def connect(_place: Place) -> _Caller:
    """Return the caller."""
    return _Caller()
