"""What may interrupt an attempt: its timeout, and SIGINT.

The contexts here are classes. One that is made of a generator assigns to the error that passes through it,
which an error of a job may refuse, as a frozen dataclass does; then that would be the error.
"""

import signal
from typing import Any


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


def _raise_timed_out(_number: int, _frame: object) -> None:
    raise TimedOut
