"""The parts of a process that jobs change: how to read each, and how to put it back.

All parts are read after every instance, also one that takes a fraction of a millisecond. So each is read as
it is, without a copy, and most by a function in C.
"""

import gc
import locale
import logging
import os
import resource
import signal
import socket
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, Final, NamedTuple

_SIGNALS: Final = (
    *(signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGCHLD, signal.SIGPIPE, signal.SIGHUP),
    *(signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGVTALRM, signal.SIGPROF),
)
_TIMERS: Final = {signal.SIGVTALRM: signal.ITIMER_VIRTUAL, signal.SIGPROF: signal.ITIMER_PROF}
"""The timers of these signals end a process that has no handler for them."""
_LIMITS: Final = tuple(
    getattr(resource, f"RLIMIT_{name}") for name in ("AS", "CPU", "DATA", "FSIZE", "NOFILE", "NPROC")
)
# Without the conversion to enumerations, which takes ten times as long as the call.
_signal: Final = import_module("_signal")
_environ: Final[Any] = os.environ


class Part(NamedTuple):
    """Something that a process has once, whoever runs in it."""

    name: str
    read: Callable[[], Any]
    """Returns what can be compared with an earlier answer; lists and dicts are not copied."""
    write: Callable[[Any], object]
    """Puts back an earlier answer; raises whatever it may where that is impossible."""


def _list(name: str, holder: Any, attribute: str) -> Part:  # noqa: ANN401 -- a module or an object
    """Return a part that is a list, which its users hold, so that its contents are put back."""
    held = getattr(holder, attribute)

    def write(before: list[Any]) -> None:
        held[:] = before
        setattr(holder, attribute, held)

    return Part(name, lambda: getattr(holder, attribute), write)


def _read_variables() -> Any:  # noqa: ANN401 -- not a public name
    return os.environ._data  # type: ignore[attr-defined] # noqa: SLF001 -- decoding all takes 30 µs


def _write_variables(before: dict[bytes, bytes]) -> None:
    os.environ = _environ  # noqa: B003 -- it is the real one, which a job has replaced
    for name in [name for name in os.environb if name not in before]:
        del os.environb[name]
    os.environb.update(before)
    time.tzset()


def _read_handlers() -> list[Any]:
    return [_signal.getsignal(number) for number in _SIGNALS]


def _write_handlers(before: list[Any]) -> None:
    for number, handler in zip(_SIGNALS, before, strict=True):
        if _signal.getsignal(number) == handler:
            continue
        if number in _TIMERS:
            signal.setitimer(_TIMERS[number], 0)
        # None is a handler in C, which cannot be set from here.
        if handler is not None:
            signal.signal(number, handler)


def _read_mask() -> Any:  # noqa: ANN401 -- a set of numbers
    return _signal.pthread_sigmask(signal.SIG_BLOCK, ())


def _write_mask(before: Any) -> None:  # noqa: ANN401 -- a set of numbers
    # A signal that waits until it is no longer blocked would reach the next instance.
    for number in signal.sigpending() - {signal.SIGTERM}:
        signal.signal(number, signal.signal(number, signal.SIG_IGN))
    _signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _read_start_method() -> Any:  # noqa: ANN401 -- a name or None
    multiprocessing: Any = sys.modules.get("multiprocessing")
    return multiprocessing and multiprocessing.get_start_method(allow_none=True)


def _write_start_method(before: str | None) -> None:
    multiprocessing: Any = sys.modules["multiprocessing"]
    multiprocessing.set_start_method(before, force=True)


def _read_limits() -> list[tuple[int, int]]:
    return [resource.getrlimit(limit) for limit in _LIMITS]


def _write_limits(before: list[tuple[int, int]]) -> None:
    for limit, soft_and_hard in zip(_LIMITS, before, strict=True):
        resource.setrlimit(limit, soft_and_hard)


def _read_tracing() -> tuple[Any, Any]:
    return sys.gettrace(), sys.getprofile()


def _write_tracing(before: tuple[Any, Any]) -> None:
    trace, profile = before
    sys.settrace(trace)
    sys.setprofile(profile)


def _read_hooks() -> tuple[Any, ...]:
    return sys.excepthook, sys.unraisablehook, threading.excepthook


def _write_hooks(before: tuple[Any, ...]) -> None:
    sys.excepthook, sys.unraisablehook, threading.excepthook = before


def _read_log() -> tuple[int, int]:
    return logging.root.manager.disable, logging.root.level


def _write_log(before: tuple[int, int]) -> None:
    logging.root.manager.disable, level = before
    logging.root.setLevel(level)


def _write_collecting(before: bool) -> None:  # noqa: FBT001 -- what gc.isenabled returned
    (gc.enable if before else gc.disable)()


PARTS: Final = (
    Part("working directory", os.getcwd, os.chdir),
    Part("variables", _read_variables, _write_variables),
    Part("handlers of signals", _read_handlers, _write_handlers),
    Part("blocked signals", _read_mask, _write_mask),
    Part("limits of resources", _read_limits, _write_limits),
    Part(
        "priority", partial(os.getpriority, os.PRIO_PROCESS, 0), partial(os.setpriority, os.PRIO_PROCESS, 0)
    ),
    Part("tracing", _read_tracing, _write_tracing),
    Part("locale", partial(locale.setlocale, locale.LC_ALL), partial(locale.setlocale, locale.LC_ALL)),
    Part("time-out of sockets", socket.getdefaulttimeout, socket.setdefaulttimeout),
    Part("folder of temporary files", lambda: tempfile.tempdir, partial(setattr, tempfile, "tempdir")),
    Part("limit of recursion", sys.getrecursionlimit, sys.setrecursionlimit),
    Part("interval of threads", sys.getswitchinterval, sys.setswitchinterval),
    Part("limit of digits", sys.get_int_max_str_digits, sys.set_int_max_str_digits),
    Part("collection of garbage", gc.isenabled, _write_collecting),
    Part("thresholds of garbage", gc.get_threshold, lambda before: gc.set_threshold(*before)),
    Part("hooks of errors", _read_hooks, _write_hooks),
    Part("level of the log", _read_log, _write_log),
    Part("start method of multiprocessing", _read_start_method, _write_start_method),
    _list("handlers of the log", logging.root, "handlers"),
    _list("search path", sys, "path"),
    _list("finders of modules", sys, "meta_path"),
    _list("arguments", sys, "argv"),
    _list("filters of warnings", warnings, "filters"),
)
"""In the order in which they are put back: a signal must find its handler before it is let through."""
