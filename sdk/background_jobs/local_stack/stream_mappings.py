"""The emulator's mappings from a stream to functions: side by side, and with functions loaded beforehand.

On AWS no function waits for another that follows the same stream. The emulator invokes them one after the
other, and each for the first time at its first record.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

Mapping = tuple[str, str, dict[str, Any]]
"""An account, a region and a mapping of theirs."""

_MOST_AT_ONCE: Final = 8


class SideBySide:
    """Polls the streams of all mappings at the same time; the pass ends with the slowest."""

    def __init__(self, lambda_svc: Any) -> None:
        self._poll = lambda_svc._poll_dynamodb_streams
        self._all_mappings = lambda_svc._iter_all_esms
        self._own = threading.local()
        self._pool = ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="stream-mapping")

    def mappings(self) -> Iterator[Mapping]:
        """Yield the mapping that this thread polls; all of them in any other thread."""
        own: Mapping | None = getattr(self._own, "mapping", None)
        return self._all_mappings() if own is None else iter([own])

    def poll(self) -> bool:
        """Poll every mapping once, and tell whether any took records."""
        return any(list(self._pool.map(self._poll_one, list(self._all_mappings()))))

    def _poll_one(self, mapping: Mapping) -> bool:
        self._own.mapping = mapping
        took: bool = self._poll()
        return took


def load_functions_of_streams() -> None:
    """Start a worker of each function that follows a stream, and wait until they have loaded."""
    from ministack.core.lambda_runtime import ensure_spawned, get_or_create_worker
    from ministack.services import lambda_svc

    def load(mapping: Mapping) -> None:
        function, config = lambda_svc._get_func_record_for_qualifier(mapping[2]["FunctionName"], None)
        # It counts as free, so that a record that comes meanwhile waits for it and starts no other.
        ensure_spawned(get_or_create_worker(config["FunctionName"], config, function["code_zip"]))

    threads = [threading.Thread(target=load, args=[mapping]) for mapping in lambda_svc._iter_all_esms()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
