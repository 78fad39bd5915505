"""What jobs print, line by line, each with the instance that printed it where several run at once."""

import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final, TextIO

from background_jobs.worker.current_attempt import own_attempt

Describe = Callable[[str, str], str]
"""Returns a line for the log, given the name of its stream and what was printed."""
_unfinished: Final[ContextVar[dict[str, str] | None]] = ContextVar("unfinished", default=None)
"""By the name of a stream, the line that an attempt has begun to print."""


class PrintedByInstance:
    """A context in which whole lines of standard output and error are written, as *describe* makes them.

    What is written to the descriptors, by programs or libraries in C, passes by it.
    """

    def __init__(self, describe: Describe) -> None:
        self._describe = describe

    def __enter__(self) -> None:
        self._streams = sys.stdout, sys.stderr
        sys.stdout = LinesOfInstances(sys.stdout, "stdout", self._describe)
        sys.stderr = LinesOfInstances(sys.stderr, "stderr", self._describe)

    def __exit__(self, *raised: object) -> None:
        sys.stdout, sys.stderr = self._streams


def end_lines() -> None:
    """Write what the attempt of this context has printed without an end of line."""
    for name in _unfinished.get() or ():
        getattr(sys, name).write("\n")


class LinesOfInstances:
    """A text stream that writes the lines of an attempt whole, and otherwise what it is given."""

    def __init__(self, stream: TextIO, name: str, describe: Describe) -> None:
        self.behind = stream
        """Where the lines go."""
        self._name = name
        self._describe = describe

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever the stream has
        return getattr(self.behind, name)

    def write(self, text: str) -> int:
        """Write the lines that *text* completes."""
        if own_attempt.get() is None:
            return self.behind.write(text)
        unfinished = dict(_unfinished.get() or {})
        *lines, rest = (unfinished.pop(self._name, "") + text).split("\n")
        if lines:
            self.behind.write("".join(f"{self._describe(self._name, line)}\n" for line in lines))
        _unfinished.set({**unfinished, self._name: rest} if rest else unfinished)
        return len(text)

    def writelines(self, lines: Any) -> None:  # noqa: ANN401 -- any iterable of text
        """Write each of *lines*."""
        for line in lines:
            self.write(line)
