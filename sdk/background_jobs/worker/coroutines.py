"""The event loop of a container: one for all its coroutines, so that a client outlives an instance."""

import atexit
import contextvars
import inspect
import logging
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import asyncio

_CANCEL_SECONDS: Final = 5.0
"""How long tasks may take to end that an instance left behind."""
_log = logging.getLogger(__name__)


class CoroutineRunner:
    """Runs coroutines one after the other, all on one event loop, which ends with the process."""

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None
        self._before: tuple[Any, Any, bool] = (None, None, False)

    def result_of(self, returned: Any) -> Any:  # noqa: ANN401 -- whatever the job returns
        """Return what a job has *returned*, or its result where it can be awaited.

        Tasks that are left behind are cancelled, and what was set on the loop is undone. Where that is
        impossible, the next coroutine has a loop of its own.
        """
        if not inspect.isawaitable(returned):
            return returned
        runner = self._open_runner()
        try:
            # A context of its own: what an instance sets in context variables is not for the next.
            return runner.run(_wait_for(returned), context=contextvars.copy_context())
        finally:
            if not self._restore(runner.get_loop()):
                self._abandon(runner)

    def _open_runner(self) -> "asyncio.Runner":
        if self._runner is None:
            # A tenth of what a container imports, and most jobs are no coroutines.
            import asyncio  # noqa: PLC0415

            self._runner = asyncio.Runner()
            # A handler that was registered later is called earlier: before those of the jobs' modules.
            atexit.register(self._runner.close)
            loop = self._runner.get_loop()
            self._before = loop.get_task_factory(), loop.get_exception_handler(), loop.get_debug()
        return self._runner

    def _restore(self, loop: "asyncio.AbstractEventLoop") -> bool:
        """Undo what an instance left on *loop*; tell whether another one may use it."""
        if loop.is_closed():
            return False
        factory, handler, is_debugged = self._before
        loop.set_task_factory(factory)
        loop.set_exception_handler(handler)
        loop.set_debug(is_debugged)
        # The loop has no public name for it, and no thread can be started once it is set.
        return _cancel_tasks(loop) and not getattr(loop, "_executor_shutdown_called", False)

    def _abandon(self, runner: "asyncio.Runner") -> None:
        _log.warning("The next instance has another event loop, for this one cannot be put back")
        atexit.unregister(runner.close)
        runner.get_loop().close()
        self._runner = None


async def _wait_for(returned: Awaitable[Any]) -> Any:  # noqa: ANN401 -- see above
    return await returned


def _cancel_tasks(loop: "asyncio.AbstractEventLoop") -> bool:
    """Cancel all tasks of *loop*; tell whether all have ended."""
    import asyncio  # noqa: PLC0415 -- a coroutine has run, so it is loaded

    if not (tasks := asyncio.all_tasks(loop)):
        return True
    for task in tasks:
        task.cancel()
    _, still_running = loop.run_until_complete(asyncio.wait(tasks, timeout=_CANCEL_SECONDS))
    if still_running:
        _log.warning("%d tasks that an instance left behind cannot be cancelled", len(still_running))
    return not still_running
