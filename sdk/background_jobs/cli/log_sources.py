"""Where logs are read from, each from where it was left off: files offline, CloudWatch Logs on AWS."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from background_jobs.aws import clients
from background_jobs.aws.logs import LogLine, Logs
from background_jobs.core.errors import LogNotFound


class LogSource(Protocol):
    """One log that may still grow."""

    def new_lines(self, *, to_the_end: bool) -> Iterator[LogLine]:
        """Yield what has come since the last call; a line that is still being written, only *to_the_end*.

        Raises LogNotFound.
        """


def open_log(location: str) -> LogSource:
    """Return the log at *location*, as ContainerStarted names it: a file of ours ends with ``.log``."""
    return LogFile(Path(location)) if location.endswith(".log") else LogStream(location)


class LogFile:
    """What a container of the offline stack wrote."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0

    def new_lines(self, *, to_the_end: bool) -> Iterator[LogLine]:
        """Yield what has come since the last call. Raises LogNotFound."""
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            raise LogNotFound(
                f"The log {str(self._path)!r} is not there: its offline stack is down, or on another machine."
            ) from None
        with file:
            file.seek(self._position)
            for line in file:
                if line.endswith(b"\n") or to_the_end:
                    self._position += len(line)
                    yield LogLine(at=None, message=line.decode(errors="replace").removesuffix("\n"))


class LogStream:
    """What a container on AWS wrote."""

    def __init__(self, location: str) -> None:
        self._location = location
        self._token = ""
        self._logs = Logs(clients.logs())

    def new_lines(self, *, to_the_end: bool) -> Iterator[LogLine]:
        """Yield what has come since the last call. Raises LogNotFound."""
        del to_the_end  # lines come whole
        while True:
            page = self._logs.page(self._location, self._token)
            yield from page.lines
            if page.next_token == self._token:
                return
            self._token = page.next_token
