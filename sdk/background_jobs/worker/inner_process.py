"""The inner process of a container: how it begins, and how it ends."""

import atexit
import ctypes
import gc
import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

from background_jobs.core.errors import ShareLost
from background_jobs.core.ownership import RangeLost
from background_jobs.worker.current_attempt import SharedCurrentAttempt
from background_jobs.worker.descendants import leave_process_group
from background_jobs.worker.supervisor import OWN_FAILURE, REUSABLE, SHARE_LOST, Predecessor, Start

Work = Callable[[SharedCurrentAttempt, Predecessor | None], int]
"""Works through the share, and returns the exit status, or REUSABLE."""
_log = logging.getLogger(__name__)


def forking(work: Work) -> Start:
    """Return what starts *work* in a child that is forked from this process."""

    def fork(current_attempt: SharedCurrentAttempt, predecessor: Predecessor | None) -> int:
        flush_output()
        # What is imported lives as long as the process; looking for garbage in it costs every instance 8 µs.
        gc.freeze()
        link = current_attempt.link
        if pid := os.fork():
            if link:
                link.be_parent()
            return pid
        if link:
            link.be_child()
        run_to_the_end(work, current_attempt, predecessor)

    return fork


def run_to_the_end(
    work: Work, current_attempt: SharedCurrentAttempt, predecessor: Predecessor | None
) -> NoReturn:
    """Do *work* in this process, announce how it ended, and end the process.

    Where it is reusable, it is done again for each further share that the parent hands to this process.
    """
    leave_process_group()
    _reset_signals()
    status = _run_work(work, current_attempt, predecessor)
    while status == REUSABLE:
        status = _run_work(work, current_attempt, None) if _take_next(current_attempt) else 0
    current_attempt.announce_end(status)
    end_process(status)


def print_line_by_line() -> None:
    """Have every line written when it is printed: a job may end its process before any later moment."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)


def flush_output() -> None:
    """Write what was printed and is still in memory."""
    streams: tuple[Any, ...] = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    for stream in streams:
        with suppress(Exception):  # a job may have closed it, or replaced it by what flushes nothing
            stream.flush()


def flush_libraries() -> None:
    """Write what libraries in C have printed and is still in memory."""
    ctypes.CDLL(None).fflush(None)


def _take_next(current_attempt: SharedCurrentAttempt) -> bool:
    """Wait for another share, and become the process that works on it; tell whether there is one."""
    _reset_signals()
    flush_output()
    current_attempt.reset()
    share = current_attempt.link.wait_for_next() if current_attempt.link else None
    if share is None:
        return False
    share.take()
    return True


def _reset_signals() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # What interrupts an attempt may come a moment after its end.
    signal.signal(signal.SIGINT, _take_no_notice)


def _run_work(work: Work, current_attempt: SharedCurrentAttempt, predecessor: Predecessor | None) -> int:
    try:
        return work(current_attempt, predecessor)
    except (RangeLost, ShareLost) as lost:
        _log.error("The container ends: %s", lost)
        return SHARE_LOST
    except BaseException:  # noqa: BLE001 -- the edge of the process
        with suppress(Exception):  # an error that a job raised may not be printable
            _log.exception("The container cannot go on")
        return OWN_FAILURE


def end_process(status: int) -> NoReturn:
    """End this process as `finish` does."""
    try:
        finish()
    finally:
        os._exit(status)


def finish() -> None:
    """Do what Python does at the end of a process: threads end, then the handlers of atexit are called.

    The end of the interpreter itself is left out: it touches all that was imported, of which a fork then gets
    a copy, for some 40 ms, and a job's threads that still run may crash in it.
    """
    for step in (threading._shutdown, atexit._run_exitfuncs, flush_output):  # type: ignore[attr-defined] # noqa: SLF001 -- as multiprocessing does
        with suppress(BaseException):
            step()


def _take_no_notice(_number: int, _frame: FrameType | None) -> None:
    pass
