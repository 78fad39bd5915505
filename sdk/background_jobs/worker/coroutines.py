"""The event loop of a container: one for all its coroutines, so that a client outlives an instance."""

import asyncio
import atexit
import contextvars
import inspect
import logging
from collections.abc import Awaitable
from typing import Any, Final

_CANCEL_SECONDS: Final = 5.0
"""How long tasks may take to end that an instance left behind."""
_log = logging.getLogger(__name__)


class CoroutineRunner:
    """Runs coroutines one after the other, all on one event loop, which ends with the process."""

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None

    def result_of(self, returned: Any) -> Any:  # noqa: ANN401 -- whatever the job returns
        """Return what a job has *returned*, or its result where it can be awaited.

        Tasks that are left behind are cancelled.
        """
        if not inspect.isawaitable(returned):
            return returned
        runner = self._open_runner()
        try:
            # A context of its own: what an instance sets in context variables is not for the next.
            return runner.run(_wait_for(returned), context=contextvars.copy_context())
        finally:
            _cancel_tasks(runner.get_loop())

    def _open_runner(self) -> asyncio.Runner:
        if self._runner is None or self._runner.get_loop().is_closed():
            self._runner = asyncio.Runner()
            # A handler that was registered later is called earlier: before those of the jobs' modules.
            atexit.register(self._runner.close)
        return self._runner


async def _wait_for(returned: Awaitable[Any]) -> Any:  # noqa: ANN401 -- see above
    return await returned


def _cancel_tasks(loop: asyncio.AbstractEventLoop) -> None:
    if loop.is_closed() or not (tasks := asyncio.all_tasks(loop)):
        return
    for task in tasks:
        task.cancel()
    _, still_running = loop.run_until_complete(asyncio.wait(tasks, timeout=_CANCEL_SECONDS))
    if still_running:
        _log.warning("%d tasks that an instance left behind cannot be cancelled", len(still_running))
