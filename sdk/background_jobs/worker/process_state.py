"""The state of a process between two instances: put back as it was, or known to be beyond that."""

import contextvars
import decimal
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable
from copy import copy
from importlib import import_module
from typing import Any, Final, Self, TextIO, TypeVar

from background_jobs.worker.printed_lines import LinesOfInstances
from background_jobs.worker.process_parts import PARTS, Part

_T = TypeVar("_T")
_STANDARD_DESCRIPTORS: Final = (1, 2)
_DESCRIPTORS_IN_USE: Final = 0.75
"""How much of the descriptors that a process may have instances may leave open."""
LEFT_THREADS: Final = 200
"""How many threads instances may leave behind."""
_UNLIMITED: Final = 1_000_000
# Without the lock of threading.active_count, which takes ten times as long.
count_threads: Final[Callable[[], int]] = import_module("_thread")._count  # noqa: SLF001


class ProcessState:
    """A context in which instances run, and the process as it was before the first of them.

    What the jobs' module does while it is loaded belongs to that state, so it holds for all instances.
    *own_threads* are to come that run them.
    """

    def __init__(self, own_threads: int = 0) -> None:
        self._variables = contextvars.copy_context()
        self._decimal = _decimal_context_of(self._variables)
        self._parts, self._before = _read_parts()
        self._reads = [part.read for part in self._parts]
        self._has_alarm = signal.getitimer(signal.ITIMER_REAL)[0] > 0
        self._umask = os.umask(0)
        os.umask(self._umask)
        self._output, self._errors = sys.stdout, sys.stderr
        self._log_handlers = list(logging.root.handlers)
        self._descriptors = _copy_standard_descriptors()
        self._most_descriptors = _descriptor_limit() * _DESCRIPTORS_IN_USE
        self._most_threads = count_threads() + own_threads + LEFT_THREADS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        for descriptor in self._descriptors.values():
            try:
                os.close(descriptor)
            except OSError:  # a job has closed it
                continue

    def new_context(self) -> contextvars.Context:
        """Return context variables, among them decimal's, for one instance."""
        context = self._variables.copy()
        if self._decimal is not None:
            context.run(decimal.setcontext, self._decimal.copy())
        return context

    def run(self, call: Callable[..., _T], *args: object) -> _T:
        """Return what *call* returns, with context variables of its own."""
        return self.new_context().run(call, *args)

    def restore(self) -> str:
        """Undo what an instance left behind; return why the process must be replaced instead, or nothing."""
        try:
            if not self._has_alarm:
                signal.setitimer(signal.ITIMER_REAL, 0)
            os.umask(self._umask)
            self._restore_descriptors()
            self._restore_streams()
            if self._is_changed():
                self._restore_parts()
        except Exception as error:  # noqa: BLE001 -- a job may have put anything in place of anything
            return f"what an instance did to it cannot be undone ({type(error).__name__}: {error})"
        return self.find_excess()

    def find_excess(self) -> str:
        """Return of what instances have left too much, in words; nothing while the process may go on."""
        try:
            # A new descriptor has the lowest number that is free.
            lowest_free = os.dup(next(iter(self._descriptors.values()), 0))
            os.close(lowest_free)
        except OSError as error:
            return f"no descriptor can be opened ({error})"
        if lowest_free > self._most_descriptors:
            return f"instances left some {lowest_free} descriptors open"
        if (threads := count_threads()) > self._most_threads:
            return f"instances left {threads} threads"
        return ""

    def _is_changed(self) -> bool:
        try:
            return [read() for read in self._reads] != self._before
        except Exception:  # noqa: BLE001 -- a folder that is gone, variables that are none
            return True

    def _restore_descriptors(self) -> None:
        """Point the standard descriptors at their files again."""
        for number, saved in self._descriptors.items():
            os.dup2(saved, number)

    def _restore_streams(self) -> None:
        output, errors = self._output, self._errors
        if sys.stdout is not output or output.closed:
            self._output = sys.stdout = self._usable(output, 1)
        if sys.stderr is not errors or errors.closed:
            self._errors = sys.stderr = self._usable(errors, 2)

    def _usable(self, stream: TextIO, number: int) -> TextIO:
        """Return *stream*, or where a job has closed it another one, to which the log writes from now on."""
        if not stream.closed:
            return stream
        new = open(  # noqa: SIM115 -- a descriptor, for as long as the process lives
            number, "w", buffering=1, encoding=stream.encoding, errors=stream.errors, closefd=False
        )
        wrapper = stream if isinstance(stream, LinesOfInstances) else None
        written = wrapper.behind if wrapper else stream
        for handler in self._log_handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is written:
                handler.stream = new
        if wrapper is None:
            return new
        wrapper.behind = new
        return stream

    def _restore_parts(self) -> None:
        for part, before in zip(self._parts, self._before, strict=True):
            try:
                is_changed = part.read() != before
            except Exception:  # noqa: BLE001 -- see above
                is_changed = True
            if is_changed:
                part.write(before)


def _read_parts() -> tuple[list[Part], list[Any]]:
    """Return the parts that this process has, and a copy of each."""
    parts, values = [], []
    for part in PARTS:
        try:
            values.append(copy(part.read()))
        except OSError:  # such as a working directory that is gone
            continue
        parts.append(part)
    return parts, values


def _decimal_context_of(variables: contextvars.Context) -> decimal.Context | None:
    """Return a copy of decimal's context where the module of the jobs has made one; it would be shared."""
    is_made = any(variable.name == "decimal_context" for variable in variables)
    return variables.run(decimal.getcontext).copy() if is_made else None


def _copy_standard_descriptors() -> dict[int, int]:
    copies = {}
    for number in _STANDARD_DESCRIPTORS:
        try:
            copies[number] = os.dup(number)
        except OSError:  # it is closed from the beginning
            continue
    return copies


def _descriptor_limit() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _UNLIMITED if soft == resource.RLIM_INFINITY else soft
