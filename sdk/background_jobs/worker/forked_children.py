"""What becomes of a process that a job forks and that comes back from `run`: it ends there."""

import os
import sys
from contextlib import suppress
from typing import NoReturn

from background_jobs.worker.inner_process import flush_output


class EndingForkedChildren:
    """A context around what may fork: only the process that entered it goes on after it.

    A forked child ends there as a process of Python's ends, with what it returned, raised or gave to
    `sys.exit`; but its handlers of atexit are its parent's, and are not called.
    """

    def __enter__(self) -> None:
        self._process = os.getpid()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if os.getpid() != self._process:
            _end_child(error)


def _end_child(error: BaseException | None) -> NoReturn:
    status = 1
    try:
        status = _exit_status(error)
        flush_output()
    finally:
        os._exit(status)


def _exit_status(error: BaseException | None) -> int:
    """Return the status as the interpreter does, and print what it prints."""
    if error is None:
        return 0
    if not isinstance(error, SystemExit):
        with suppress(Exception):  # it may not be printable
            sys.excepthook(type(error), error, error.__traceback__)
        return 1
    if error.code is None or isinstance(error.code, int):
        return (error.code or 0) & 0xFF
    with suppress(Exception):
        sys.stderr.write(f"{error.code}\n")
    return 1
