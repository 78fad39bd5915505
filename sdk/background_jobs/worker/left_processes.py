"""The processes that an instance leaves behind, seen from the process that runs instances."""

import resource
import sys
from typing import Any, Final

from background_jobs.worker.descendants import Descendants, has_children, reap

_POOL_PROCESSES: Final = 32
"""How many processes of multiprocessing may stay from instance to instance."""


class LeftProcesses:
    """What instances started since this was made, and did not end.

    A pool of processes that the jobs' module keeps gets its processes from an instance, so what
    `multiprocessing` manages may stay. What an attempt left that took too long is still at the work that is
    to be done again, so all of it ends.
    """

    def __init__(self, supervisor: int) -> None:
        # Orphans go to the supervisor.
        self._below = Descendants(supervisor)
        self._waited_for = _cost_of_waited_for()

    def end(self, *, timed_out: bool) -> str:
        """End what the last attempt left; return why this process must be replaced, or nothing."""
        waited_for = _cost_of_waited_for()
        if not has_children() and waited_for == self._waited_for:
            return ""
        self._waited_for = waited_for
        pools = _pool_processes()
        ended = self._below.end(spared=() if timed_out else pools)
        reap(pools)
        if timed_out and not pools.isdisjoint(ended):
            return "processes of multiprocessing ended with an attempt that took too long"
        if len(pools) > _POOL_PROCESSES:
            return f"instances left {len(pools)} processes of multiprocessing"
        return ""


def _cost_of_waited_for() -> int:
    """Return what rises with every child that ended and was waited for; it may have left orphans."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt


def _pool_processes() -> set[int]:
    """Return the processes that multiprocessing starts and ends by itself."""
    multiprocessing: Any = sys.modules.get("multiprocessing")
    if multiprocessing is None:
        return set()
    helpers = (
        _value("multiprocessing.resource_tracker", "_resource_tracker", "_pid"),
        _value("multiprocessing.forkserver", "_forkserver", "_forkserver_pid"),
    )
    return {child.pid for child in multiprocessing.active_children()} | {pid for pid in helpers if pid}


def _value(module: str, holder: str, name: str) -> int | None:
    return getattr(getattr(sys.modules.get(module), holder, None), name, None)
