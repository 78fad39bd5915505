"""What may interrupt an attempt: its timeout, and SIGINT where it runs in the main thread.

The contexts here are classes. One that is made of a generator assigns to the error that passes through it,
which an error of a job may refuse, as a frozen dataclass does; then that would be the error.
"""

import ctypes
import signal
import threading
from contextlib import AbstractContextManager
from typing import Any

from background_jobs.core.limits import TIMEOUT_SECONDS


class TimedOut(BaseException):
    """Raised in the middle of an attempt; not an Exception, so that a job's own `except` lets it pass."""


class Interruptible:
    """A context in which SIGINT raises KeyboardInterrupt, whoever sends it; elsewhere it does nothing."""

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def __exit__(self, *raised: object) -> None:
        signal.signal(signal.SIGINT, self._before)


class TimeLimit:
    """A context that raises TimedOut in its thread after *seconds*.

    It does so between two steps of the interpreter, or in a sleep; infinite seconds are no limit.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._before: Any = None

    def __enter__(self) -> None:
        if self._seconds != float("inf"):
            self._before = signal.signal(signal.SIGALRM, _raise_timed_out)
            signal.setitimer(signal.ITIMER_REAL, max(self._seconds, 0.001))

    def __exit__(self, *raised: object) -> None:
        if self._seconds != float("inf"):
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._before)


class MainThreadInterruption:
    """A context in the main thread that raises TimedOut after *seconds*, and when another thread asks.

    It does so also in a sleep, and never after the context.
    """

    def __init__(self, seconds: float) -> None:
        self._limits = (Interruptible(), TimeLimit(min(seconds, TIMEOUT_SECONDS)))
        self._lock = threading.Lock()
        self._is_open = False
        self.is_sent = False

    def __enter__(self) -> None:
        for limit in self._limits:
            limit.__enter__()
        self._is_open = True

    def __exit__(self, *raised: object) -> None:
        while self._is_open:
            try:
                with self._lock:
                    self._is_open = False
            except TimedOut:  # at the last moment: the attempt has ended
                continue
        for limit in reversed(self._limits):
            try:
                limit.__exit__(*raised)
            except TimedOut:
                limit.__exit__(*raised)

    def send(self) -> None:
        """Have TimedOut raised in the main thread, if it is in the context."""
        with self._lock:
            self.is_sent = True
            if self._is_open:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)


Interruption = AbstractContextManager[object]
"""A context from which TimedOut may be raised."""


class ThreadInterruption:
    """A context in one thread in which another may have TimedOut raised, between two steps of Python.

    What waits in C is not interrupted; TimedOut is raised when it comes back, and never after the context.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._is_sent = False

    def __enter__(self) -> None:
        with self._lock:
            self._thread = threading.get_ident()

    def __exit__(self, *raised: object) -> None:
        try:
            with self._lock:
                thread, self._thread = self._thread, None
            if thread is not None and self._is_sent:
                # What is taken back stays announced to all threads, and Python 3.11 never gets through a
                # function that is traced then. So it is raised here, whether or not it was before.
                _raise_in(thread, TimedOut)
                while True:
                    pass
        except TimedOut:
            pass

    def send(self) -> None:
        """Have TimedOut raised in the thread of the context, once, if it is in it."""
        with self._lock:
            if self._thread is not None and not self._is_sent:
                self._is_sent = True
                _raise_in(self._thread, TimedOut)


def _raise_in(thread: int, error: type[BaseException]) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))


def _raise_timed_out(_number: int, _frame: object) -> None:
    raise TimedOut
