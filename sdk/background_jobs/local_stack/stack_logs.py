"""What an offline stack wrote: itself, its functions and its containers, merged by time."""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from heapq import merge
from pathlib import Path
from typing import Final, Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, Field

from background_jobs.core.errors import ServiceUnreachable
from background_jobs.core.log_lines import LogLine, bounded_line, parse_line, split_line
from background_jobs.local_stack.function_logs import FunctionLogs, read_function_line

_POLL_SECONDS: Final = 0.2
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z) (.*)", re.DOTALL)
"""How the stack begins a line: with its time in UTC."""
_LOADING: Final = re.compile(r"fork-server-(.+)-\d+")

Part = Literal["stack", "api", "function", "loading", "container"]


class StackLine(BaseModel):
    """A line that some part of an offline stack wrote."""

    at: AwareDatetime = Field(description="When it was written; for text without a time, about then.")
    part: Part = Field(
        description="What wrote it: the emulator (stack), the progress API (api), a function, the jobs' main "
        "while it was loaded (loading), or a container."
    )
    name: str = Field(description="The name of the function or container; empty for others.")
    service: str | None = Field(default=None, description="The service of a container, or of a main.")
    index: int | None = Field(default=None, description="The job instance that wrote it, where it is known.")
    level: str = Field(default="", description="Of a log record: INFO, WARNING; empty for text.")
    message: str = Field(description="The text, or that of the log record with its traceback.")


class _Origin(NamedTuple):
    part: Part
    name: str
    service: str | None


class _LogFile:
    """A file of which more and more is read."""

    def __init__(self, path: Path, origin: _Origin) -> None:
        self._path = path
        self._origin = origin
        self._offset = 0
        self._last: datetime | None = None

    def read(self, *, to_the_end: bool) -> Iterator[StackLine]:
        """Yield the lines that came since, by time; one that is not finished yet only *to_the_end*."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                new = file.read()
                written = datetime.fromtimestamp(self._path.stat().st_mtime, UTC)
        except OSError:  # the stack has ended, and its logs with it
            return
        end = len(new) if to_the_end else new.rfind(b"\n") + 1
        self._offset += end
        texts = (line.rstrip(b"\r").decode(errors="replace") for line in new[:end].split(b"\n"))
        lines = [self._parse(part) for text in texts if text for part in split_line(text)]
        known = next((line.at for line in lines if line.at is not None), self._last)
        # A line without a time, as of a traceback, follows the one before it, and the order of a file stays.
        last = self._last or known or written
        for line in lines:
            last = max(line.at or last, last)
            yield StackLine(
                at=last, message=str(line), index=line.index, level=line.level, **self._origin._asdict()
            )
        self._last = last if known else None

    def _parse(self, text: str) -> LogLine:
        if self._origin.part == "stack" and (found := _TIME.fullmatch(text)):
            return LogLine(at=datetime.fromisoformat(found[1]), message=bounded_line(found[2]))
        return parse_line(text)


class StackLogs:
    """The logs in the *folder* of a stack, and those of its *functions* until it *has_ended*.

    With *service*, they are those of its containers and of its main alone.
    """

    def __init__(
        self,
        folder: Path,
        functions: FunctionLogs | None = None,
        service: str | None = None,
        has_ended: Callable[[], bool] = lambda: True,
    ) -> None:
        self._folder = folder
        self._functions = None if service else functions
        self._service = service
        self._has_ended = has_ended
        self._files: dict[Path, _LogFile] = {}

    def read(self, *, to_the_end: bool = True) -> list[StackLine]:
        """Return what was written since the last call, by time."""
        for path in sorted(self._folder.rglob("*.log")):
            if path not in self._files and (origin := self._find_origin(path)) is not None:
                self._files[path] = _LogFile(path, origin)
        files = (file.read(to_the_end=to_the_end) for file in self._files.values())
        sources: list[Iterable[StackLine]] = [*files, self._read_functions()]
        return list(merge(*sources, key=lambda line: line.at))

    def follow(self) -> Iterator[StackLine]:
        """Yield what was written, and then what is being written, until the stack has ended."""
        while not self._has_ended():
            yield from self.read(to_the_end=False)
            time.sleep(_POLL_SECONDS)
        yield from self.read()

    def _read_functions(self) -> Iterator[StackLine]:
        if self._functions is None:
            return
        try:
            events = self._functions.read()
        except ServiceUnreachable:  # it is ending
            return
        for name, event in events:
            level, message = read_function_line(event.text)
            yield StackLine(at=event.at, part="function", name=name, level=level, message=message)

    def _find_origin(self, path: Path) -> _Origin | None:
        if path.parent != self._folder:
            origin = _Origin("container", path.stem, path.parent.name)
        elif loading := _LOADING.fullmatch(path.stem):
            origin = _Origin("loading", "", loading[1])
        elif path.stem == "server":
            origin = _Origin("stack", "", None)
        else:
            origin = _Origin("api", "", None)
        return origin if self._service in {None, origin.service} else None
