"""Huey, on Redis or SQLite: tasks are sent one by one, and results are read many at a time."""

import os
import time
from collections.abc import Iterable, Iterator
from typing import Any

from huey import RedisHuey, SqliteHuey

from benchmarks.peers.protocol import Place
from benchmarks.peers.work import JOBS

_ADDRESS = os.environ["PEER_ADDRESS"]
huey: Any = (
    RedisHuey(url=_ADDRESS) if _ADDRESS.startswith("redis") else SqliteHuey(filename=_ADDRESS, timeout=60)
)
_TASKS = {name: huey.task()(job) for name, job in JOBS.items()}


class _Caller:
    def kick_off(self, job: str, arguments: Iterable[Any]) -> list[str]:
        return [_TASKS[job](argument).id for argument in arguments]

    def results(self, handle: list[str], patience: float) -> Iterator[Any]:
        quiet_since, pause = time.monotonic(), 0.001
        left = list(handle)
        while left and time.monotonic() - quiet_since < patience:
            missing = []
            for place, task in enumerate(left):
                result = huey.result(task, preserve=True)
                if result is None:
                    missing.append(task)
                    # the rest was sent later, and is probably not done either
                    if len(missing) > 50:  # noqa: PLR2004 -- more than there are workers
                        missing += left[place + 1 :]
                        break
                else:
                    yield result
            if len(missing) < len(left):
                quiet_since, pause = time.monotonic(), 0.001
            else:
                time.sleep(pause)
                pause = min(2 * pause, 0.05)
            left = missing


def connect(_place: Place) -> _Caller:
    """Return the caller."""
    return _Caller()
