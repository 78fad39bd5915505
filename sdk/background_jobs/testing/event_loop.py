"""The event loop of coroutine jobs: its waits take virtual time."""

import asyncio
import selectors
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from time import monotonic
from typing import Final, TypeVar, TypeVarTuple, Unpack

from background_jobs.testing.processes import Process, current_process, is_of_twin
from background_jobs.worker.coroutines import CoroutineRunner, LoopState

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")
_new_loop: Final = asyncio.events.new_event_loop
_REAL_SECONDS: Final = 0.05
"""How long a connection may take to answer before virtual time passes."""
_PATIENCE_SECONDS = 60.0
"""How long, in real time, threads are waited for that a job has started by itself."""


class VirtualCoroutineRunner(CoroutineRunner):
    """Runs the coroutines of one container."""

    def __init__(self, process: Process) -> None:
        super().__init__()
        self._process = process

    def close(self) -> None:
        """Close the loop, if there is one."""
        if self._runner is not None:
            self._runner.close()

    def _open_runner(self) -> asyncio.Runner:
        if self._runner is None:
            self._runner = asyncio.Runner(loop_factory=lambda: _VirtualLoop(self._process))
            self._state = LoopState(self._runner.get_loop())
        return self._runner


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return what `asyncio.run` of a job, or else of anybody, is to run on."""
    process = current_process()
    return _new_loop() if process is None else _VirtualLoop(process)


class _VirtualLoop(asyncio.SelectorEventLoop):
    """Sleeps as its process does, unless a thread or a connection of the job is to be waited for."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._threads = 0
        super().__init__(_Selector(process, lambda: self._threads > 0))

    def time(self) -> float:
        return self._process.time.seconds

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[_Ts]], _T], *args: *_Ts
    ) -> asyncio.Future[_T]:
        future = super().run_in_executor(executor, func, *args)
        self._threads += 1
        future.add_done_callback(self._note_end)
        return future

    def _note_end(self, _future: object) -> None:
        self._threads -= 1


class _Selector(selectors.DefaultSelector):
    def __init__(self, process: Process, is_thread_running: Callable[[], bool]) -> None:
        super().__init__()
        self._process = process
        self._is_thread_running = is_thread_running
        self._threads_before = set(threading.enumerate())

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if (ready := super().select(0)) or (timeout is not None and timeout <= 0):
            return ready
        # One descriptor is the loop's own.
        has_connection = len(self.get_map()) > 1
        if self._is_thread_running() or (timeout is None and has_connection):
            return super().select(None)
        if has_connection and (ready := super().select(_REAL_SECONDS)):
            return ready
        if timeout is None and (ready := self._wait_for_threads()):
            return ready
        self._sleep(timeout)
        return super().select(0)

    def _wait_for_threads(self) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what becomes ready while threads run that the job has started without the loop."""
        end = monotonic() + _PATIENCE_SECONDS
        ready: list[tuple[selectors.SelectorKey, int]] = []
        while not ready and monotonic() < end and self._has_new_threads():
            ready = super().select(_REAL_SECONDS)
        return ready or super().select(0)

    def _has_new_threads(self) -> bool:
        return any(
            # Those of the loop's own pool stay when they have nothing to do.
            not (thread in self._threads_before or is_of_twin(thread) or thread.name.startswith("asyncio_"))
            for thread in threading.enumerate()
        )

    def _sleep(self, seconds: float | None) -> None:
        if seconds is None and self._process.limit == float("inf"):
            raise RuntimeError(
                "The coroutine waits for what nothing can bring about any more, and its job has no timeout "
                "that would end it: on the twin, it would wait for ever."
            )
        self._process.sleep(float("inf") if seconds is None else seconds)
