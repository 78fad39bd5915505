"""What stands for functions of `time` while a twin is open; who keeps it is told real time afterwards."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from background_jobs.testing.processes import current_process, this_thread
from background_jobs.testing.virtual_time import VirtualTime


class _Caller(NamedTuple):
    """The thread that has opened a twin, in which `sleep` lets virtual time pass, too."""

    thread: tuple[int, int]
    virtual: VirtualTime


_callers: Final[list[_Caller]] = []


@contextmanager
def calling(virtual: VirtualTime) -> Iterator[None]:
    """Have `sleep` in this thread let *virtual* time pass within the context."""
    caller = _Caller(this_thread(), virtual)
    _callers.append(caller)
    try:
        yield
    finally:
        _callers.remove(caller)


_REAL_SLEEP: Final = time.sleep


def _sleep(seconds: float) -> None:
    """Let virtual time pass in a container, and in the thread that has opened the twin; else real time."""
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    process, thread = current_process(), this_thread()
    if process is not None:
        process.sleep(seconds)
        return
    for caller in _callers:
        if caller.thread == thread:
            caller.virtual.pass_by(seconds)
            return
    _REAL_SLEEP(seconds)


def _telling(real: Callable[[], float], told: Callable[[VirtualTime], float]) -> Callable[[], float]:
    """Return a function that tells jobs virtual time, and everybody else what *real* does."""

    def tell() -> float:
        process = current_process()
        return real() if process is None else told(process.time)

    return tell


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)


_TOLD: Final[dict[str, Callable[[VirtualTime], float]]] = {
    "monotonic": lambda virtual: virtual.seconds,
    "monotonic_ns": lambda virtual: _nanoseconds(virtual.seconds),
    "perf_counter": lambda virtual: virtual.seconds,
    "perf_counter_ns": lambda virtual: _nanoseconds(virtual.seconds),
    "time": lambda virtual: virtual.now().timestamp(),
    "time_ns": lambda virtual: _nanoseconds(virtual.now().timestamp()),
}
STAND_INS: Final[dict[str, Callable[..., object]]] = {
    "sleep": _sleep,
    **{name: _telling(getattr(time, name), told) for name, told in _TOLD.items()},
}
"""By name, what stands for functions of the module `time`."""
_REAL: Final = {name: getattr(time, name) for name in STAND_INS}


def stand_ins_in(names: dict[str, object]) -> dict[str, Callable[..., object]]:
    """Return what is to stand for those of *names*, a module's, that are functions of `time`."""
    return {
        name: STAND_INS[of_time]
        for name, value in names.items()
        for of_time, real in _REAL.items()
        if value is real
    }
