"""A ProcessPoolExecutor in the caller: the least that any library can take. It keeps nothing."""

import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from typing import Any

from benchmarks.peers.protocol import Place
from benchmarks.peers.work import JOBS


class _Caller:
    def __init__(self, workers: int) -> None:
        self._pool = ProcessPoolExecutor(workers, multiprocessing.get_context("forkserver"))
        self._futures: list[Future[Any]] = []

    def kick_off(self, job: str, arguments: Iterable[Any]) -> None:
        self._futures = [self._pool.submit(JOBS[job], argument) for argument in arguments]

    def results(self, _handle: None, patience: float) -> Iterator[Any]:
        for future in as_completed(self._futures, patience):
            if future.exception() is None:
                yield future.result()


def connect(place: Place) -> _Caller:
    """Return the caller, whose workers start with the first tasks."""
    return _Caller(place.workers)
