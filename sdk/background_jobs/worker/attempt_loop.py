"""Coroutine attempts that run at once, all on one event loop in a thread of its own."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any, Final, cast

from background_jobs.core.events import JobEvent
from background_jobs.worker.attempt_pool import Ended, RunningAttempt
from background_jobs.worker.coroutines import LoopState
from background_jobs.worker.current_attempt import CurrentAttempt, own_attempt
from background_jobs.worker.forked_children import EndingForkedChildren
from background_jobs.worker.instance import InstanceRunner
from background_jobs.worker.printed_lines import end_lines

_STORERS: Final = 8
"""How many results are stored at once, so that none holds up the loop."""
_RESTORE_SECONDS: Final = 10.0
_TELLS_CONTEXTS: Final = hasattr(asyncio.Task, "get_context")
_log = logging.getLogger(__name__)


class _LoopOfProcess:
    """The event loop in its thread, for all shares on which this process works: clients are bound to it."""

    def __init__(self) -> None:
        self.storing = ThreadPoolExecutor(_STORERS, thread_name_prefix="results")
        self.loop = asyncio.new_event_loop()
        self.state = LoopState(self.loop)
        threading.Thread(target=self._serve, name="attempts", daemon=True).start()

    def _serve(self) -> None:
        """Run the loop, also after a task has stopped it, or has raised KeyboardInterrupt or SystemExit."""
        asyncio.set_event_loop(self.loop)
        while not self.loop.is_closed():
            try:
                self.loop.run_forever()
            except BaseException:  # noqa: BLE001 -- whatever a task of a job raises
                _log.exception("A task has interrupted the event loop, which goes on")


_loop_of_process: Final = cache(_LoopOfProcess)


class AttemptLoop:
    """Runs attempts of a job that is a coroutine function, each in a task.

    An attempt that takes no notice of its timeout is left to the outer process: it may hold up the loop.
    """

    ignores_timeouts = False
    patience = 0.0

    def __init__(self, runner: InstanceRunner, ended: Ended) -> None:
        self._runner = runner
        self._ended = ended
        self._tasks: dict[RunningAttempt, asyncio.Task[None]] = {}
        self._not_told: set[RunningAttempt] = set()
        """Those to be cancelled as soon as the loop takes its next turn."""
        shared = _loop_of_process()
        self._loop, self._state, self._storing = shared.loop, shared.state, shared.storing

    def begin(self, running: RunningAttempt) -> None:
        """Let an attempt run."""
        self._loop.call_soon_threadsafe(self._create_task, running)

    def interrupt(self, running: RunningAttempt) -> None:
        """Cancel the task of the attempt."""
        self._not_told.add(running)
        self._loop.call_soon_threadsafe(self._cancel, running)

    def find_held_up(self) -> Sequence[RunningAttempt]:
        """Return the attempts that were to be cancelled while the task of another one holds the loop."""
        holder = self._find_holder() if self._not_told else None
        return [running for running in self._not_told.copy() if holder not in {None, running.current}]

    def restore(self) -> str:
        """Cancel the tasks that were left behind; return why another loop is needed, or nothing."""
        restored = asyncio.run_coroutine_threadsafe(self._state.restore(), self._loop)
        try:
            is_restored = restored.result(_RESTORE_SECONDS)
        except TimeoutError:
            is_restored = False
        if not is_restored:
            _loop_of_process.cache_clear()
        return "" if is_restored else "the event loop cannot be put back"

    def _create_task(self, running: RunningAttempt) -> None:
        # Not the factory of the loop, which an attempt may have set for itself.
        task = asyncio.Task(self._work(running), loop=self._loop, context=running.context)
        self._tasks[running] = task

    def _find_holder(self) -> CurrentAttempt | None:
        """Return the attempt whose task takes a step at this moment, also where it is a task that it made."""
        task = asyncio.current_task(self._loop)
        own = (running.current for running, made in self._tasks.copy().items() if made is task)
        return next(own, None) or _attempt_of(task)

    def _cancel(self, running: RunningAttempt) -> None:
        self._not_told.discard(running)
        if task := self._tasks.get(running):
            # A task that is cancelled before its first step takes no step at all.
            self._loop.call_soon(task.cancel)

    async def _work(self, running: RunningAttempt) -> None:
        result: JobEvent | BaseException
        try:
            result = await self._run(running)
        except BaseException as error:  # noqa: BLE001 -- raised in the thread that takes what has ended
            result = error
        end_lines()
        del self._tasks[running]
        self._cancel_left(running)
        self._ended.put((running, result))

    async def _run(self, running: RunningAttempt) -> JobEvent:
        with self._runner.traced(running.attempt) as ended:
            event = await self._run_traced(running)
            ended(event)
        return event

    async def _run_traced(self, running: RunningAttempt) -> JobEvent:
        attempt, started_at = running.attempt, datetime.now(UTC)
        try:
            with EndingForkedChildren():
                result = await cast("Awaitable[Any]", self._runner.begin(attempt))
            return await self._store(partial(self._runner.completed, attempt, result, started_at))
        except BaseException as error:  # noqa: BLE001 -- a job may raise anything, KeyboardInterrupt among it
            is_late = running.is_interrupted and issubclass(type(error), asyncio.CancelledError)
            return self._runner.failed(attempt, running.limit, error, started_at, is_late=is_late)

    async def _store(self, complete: Callable[[], JobEvent]) -> JobEvent:
        return await self._loop.run_in_executor(self._storing, complete)

    def _cancel_left(self, running: RunningAttempt) -> None:
        """Cancel the tasks that an attempt has left behind, which Python can tell from 3.12 on."""
        for task in asyncio.all_tasks(self._loop) if _TELLS_CONTEXTS else ():
            if task is not asyncio.current_task() and _attempt_of(task) is running.current:
                task.cancel()


def _attempt_of(task: Any) -> CurrentAttempt | None:  # noqa: ANN401 -- get_context is not in all releases
    with suppress(AttributeError):  # a task of another library
        found: CurrentAttempt | None = task.get_context().get(own_attempt)
        return found
    return None
