"""Dask distributed: a scheduler and workers of one thread each; it keeps nothing on disk."""

from collections.abc import Iterable, Iterator
from typing import Any

from distributed import Client, Future, as_completed, fire_and_forget

from benchmarks.peers.protocol import Place
from benchmarks.peers.work import JOBS


class _Caller:
    def __init__(self, address: str, workers: int) -> None:
        self._client: Any = Client(address)
        self._client.wait_for_workers(workers, timeout=60)
        self._futures: dict[str, Any] = {}

    def kick_off(self, job: str, arguments: Iterable[Any]) -> list[str]:
        futures = self._client.map(JOBS[job], list(arguments), pure=False)
        fire_and_forget(futures)
        self._futures |= {future.key: future for future in futures}
        return [future.key for future in futures]

    def results(self, handle: list[str], patience: float) -> Iterator[Any]:
        futures = [self._futures.pop(key, None) or Future(key, self._client) for key in handle]
        for batch in as_completed(futures, with_results=True, timeout=patience, raise_errors=False).batches():
            for future, result in batch:
                if future.status == "finished":
                    yield result


def connect(place: Place) -> _Caller:
    """Return the caller."""
    return _Caller(place.address, place.workers)
