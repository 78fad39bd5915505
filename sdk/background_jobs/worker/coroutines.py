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
        self._state: LoopState | None = None

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
            if self._state is None or not self._restore(self._state):
                self._abandon(runner)

    def _open_runner(self) -> "asyncio.Runner":
        if self._runner is None:
            # A tenth of what a container imports, and most jobs are no coroutines.
            import asyncio  # noqa: PLC0415

            self._runner = asyncio.Runner()
            # A handler that was registered later is called earlier: before those of the jobs' modules.
            atexit.register(self._runner.close)
            self._state = LoopState(self._runner.get_loop())
        return self._runner

    @staticmethod
    def _restore(state: "LoopState") -> bool:
        """Undo what an instance left on the loop; tell whether another one may use it."""
        import asyncio  # noqa: PLC0415 -- a coroutine has run, so it is loaded

        loop = state.loop
        if loop.is_closed():
            return False
        left = asyncio.all_tasks(loop)
        return state.reset() and (not left or loop.run_until_complete(state.cancel_tasks()))

    def _abandon(self, runner: "asyncio.Runner") -> None:
        _log.warning("The next instance has another event loop, for this one cannot be put back")
        atexit.unregister(runner.close)
        runner.get_loop().close()
        self._runner = None


async def _wait_for(returned: Awaitable[Any]) -> Any:  # noqa: ANN401 -- see above
    return await returned


class LoopState:
    """What instances may change on an event loop, as it was before the first of them."""

    def __init__(self, loop: "asyncio.AbstractEventLoop") -> None:
        self.loop = loop
        self._before = loop.get_task_factory(), loop.get_exception_handler(), loop.get_debug()

    def reset(self) -> bool:
        """Undo what was set on the loop; tell whether another instance may use it."""
        factory, handler, is_debugged = self._before
        self.loop.set_task_factory(factory)
        self.loop.set_exception_handler(handler)
        self.loop.set_debug(is_debugged)
        # The loop has no public name for it, and no thread can be started once it is set.
        return not getattr(self.loop, "_executor_shutdown_called", False)

    async def cancel_tasks(self) -> bool:
        """Cancel all tasks but the one that calls this; tell whether all have ended."""
        import asyncio  # noqa: PLC0415 -- a coroutine runs, so it is loaded

        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if not tasks:
            return True
        _, still_running = await asyncio.wait(tasks, timeout=_CANCEL_SECONDS)
        if still_running:
            _log.warning("%d tasks that an instance left behind cannot be cancelled", len(still_running))
        return not still_running

    async def restore(self) -> bool:
        """Do both, from within the loop."""
        return self.reset() and await self.cancel_tasks()
