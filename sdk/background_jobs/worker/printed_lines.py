"""What jobs print, line by line, each with the instance that printed it."""

import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, Final, TextIO

from background_jobs.core.limits import LOG_LINE_CHARACTERS
from background_jobs.worker.current_attempt import own_attempt

Describe = Callable[[str, str], str]
"""Returns a line for the log, given the name of its stream and what was printed."""
_unfinished: Final[ContextVar[dict[str, str] | None]] = ContextVar("unfinished", default=None)
"""By the name of a stream, the line that an attempt has begun; its threads and callbacks go on with it."""


def _has_own_attempt() -> bool:
    return own_attempt.get() is not None


class PrintedByInstance:
    """A context in which whole lines of standard output and error are written, as *describe* makes them.

    *is_of_instance* tells whether what is printed now is printed for an instance; by default by the context,
    which is right where several run at once. What is written to the descriptors, by programs or libraries
    in C, passes by it.
    """

    def __init__(self, describe: Describe, is_of_instance: Callable[[], bool] = _has_own_attempt) -> None:
        self._describe = describe
        self._is_of_instance = is_of_instance

    def __enter__(self) -> None:
        self._output = LinesOfInstances(sys.stdout, "stdout", self._describe, self._is_of_instance)
        self._errors = LinesOfInstances(sys.stderr, "stderr", self._describe, self._is_of_instance)
        sys.stdout, sys.stderr = self._output, self._errors

    def __exit__(self, *raised: object) -> None:
        # Where a job has closed what was there before, others are behind these by now.
        sys.stdout, sys.stderr = self._output.behind, self._errors.behind


def begin_lines() -> None:
    """Let all contexts that are copied from this one, such as those of callbacks, go on with its lines."""
    _unfinished.set({})


def end_lines() -> None:
    """Write what the attempt of this context has printed without an end of line."""
    for name in tuple(_unfinished.get() or ()):
        getattr(sys, name).write("\n")


class LinesOfInstances:
    """A text stream that writes the lines of an attempt whole, and otherwise what it is given."""

    def __init__(
        self, stream: TextIO, name: str, describe: Describe, is_of_instance: Callable[[], bool]
    ) -> None:
        self.behind = stream
        """Where the lines go."""
        self._name = name
        self._describe = describe
        self._is_of_instance = is_of_instance

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever the stream has
        return getattr(self.behind, name)

    def write(self, text: str) -> int:
        """Write the lines that *text* completes."""
        if not self._is_of_instance():
            return self.behind.write(text)
        *lines, rest = (self._take_unfinished() + text).split("\n")
        while len(rest) > LOG_LINE_CHARACTERS:
            lines.append(rest[:LOG_LINE_CHARACTERS])
            rest = rest[LOG_LINE_CHARACTERS:]
        self._write_lines(lines)
        # A progress bar begins its line again and again.
        *earlier, latest = rest.split("\r")
        self._keep(f"\r{latest}" if earlier else rest)
        return len(text)

    def writelines(self, lines: Any) -> None:  # noqa: ANN401 -- any iterable of text
        """Write each of *lines*."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Write what is there of a line, also without its end, but for a progress bar."""
        unfinished = (_unfinished.get() or {}).get(self._name, "")
        if unfinished and not unfinished.startswith("\r") and self._is_of_instance():
            self._write_lines([self._take_unfinished()])
        self.behind.flush()

    def _write_lines(self, lines: list[str]) -> None:
        if lines:
            pieces = (piece for line in lines for piece in _cut(line.rpartition("\r")[2] or line.strip("\r")))
            self.behind.write("".join(f"{self._describe(self._name, piece)}\n" for piece in pieces))

    def _take_unfinished(self) -> str:
        return (_unfinished.get() or {}).pop(self._name, "")

    def _keep(self, rest: str) -> None:
        if not rest:
            return
        if (unfinished := _unfinished.get()) is None:
            _unfinished.set(unfinished := {})
        unfinished[self._name] = unfinished.get(self._name, "") + rest


def _cut(line: str) -> Iterator[str]:
    """Yield *line* in pieces that CloudWatch Logs takes whole, also as JSON."""
    for begin in range(0, max(1, len(line)), LOG_LINE_CHARACTERS):
        yield line[begin : begin + LOG_LINE_CHARACTERS]
