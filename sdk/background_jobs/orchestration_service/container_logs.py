"""Reading the logs of containers: files of the offline stack, or CloudWatch Logs on AWS."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from background_jobs.aws import clients
from background_jobs.aws.logs import LogLine, Logs
from background_jobs.aws.stores import Stores
from background_jobs.core.errors import LogNotFound
from background_jobs.orchestration_service.steps import Pause, Steps, call, emit_each

_POLL_SECONDS: Final = 2.0


class LogSource(Protocol):
    """One log that may still grow."""

    def new_lines(self, *, to_the_end: bool, until: datetime | None = None) -> Iterator[LogLine]:
        """Yield the lines since the last call; an unfinished line only *to_the_end*.

        What was written after *until* is of another share. Raises LogNotFound.
        """


def open_log(location: str, since: datetime | None = None) -> LogSource:
    """Return the log at *location*, as ContainerStarted names it: a file of ours ends with ``.log``.

    It is read from *since* on; a file has one share, and is read as a whole.
    """
    return LogFile(Path(location)) if location.endswith(".log") else LogStream(location, since)


def follow_log(orchestration_id: str, index: int, stores: Stores, *, follow: bool) -> Steps[LogLine]:
    """Emit what the containers of an instance wrote, launch by launch; with *follow* until its outcome.

    Raises LogNotFound.
    """
    event_log, sources = stores.event_log, dict[tuple[str, datetime | None], LogSource]()
    while True:
        # The outcome is looked up before the log is read, so that no line before the outcome is missed.
        is_over = not follow or not (
            yield from call(lambda: event_log.find_unfinished(orchestration_id, index, index))
        )
        for part in (yield from call(lambda: event_log.read_log_parts_of(orchestration_id, index))):
            location, since, until = part
            source = sources.setdefault((location, since), open_log(location, since))
            yield from emit_each(source.new_lines(to_the_end=is_over, until=until))
        if is_over:
            break
        yield Pause(_POLL_SECONDS)
    if not sources:
        raise LogNotFound(f"No container that tells where its log is has taken up instance {index}.")


class LogFile:
    """The log of a container of the offline stack."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0

    def new_lines(self, *, to_the_end: bool, until: datetime | None = None) -> Iterator[LogLine]:
        """Yield the lines since the last call. Raises LogNotFound."""
        del until  # it has one share
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
    """The log of a container on AWS."""

    def __init__(self, location: str, since: datetime | None = None) -> None:
        self._location = location
        self._since = since
        self._token = ""
        self._logs = Logs(clients.of_each_process(clients.logs))

    def new_lines(self, *, to_the_end: bool, until: datetime | None = None) -> Iterator[LogLine]:
        """Yield the lines since the last call. Raises LogNotFound."""
        del to_the_end  # lines come whole
        while True:
            page = self._logs.page(self._location, self._token, self._since)
            yield from (line for line in page.lines if not (until and line.at and line.at > until))
            if page.next_token == self._token:
                return
            self._token = page.next_token
