"""Params from a file or standard input, one by one, and where in it each of them stands."""

import csv
import json
import sys
from collections.abc import Iterator
from enum import StrEnum
from io import BufferedReader
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final

from background_jobs.core.errors import BackgroundJobsError

STANDARD_INPUT: Final = Path("-")


class Format(StrEnum):
    """How params are written."""

    JSONL = "jsonl"
    JSON = "json"
    CSV = "csv"


_FORMATS: Final = {
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".json": Format.JSON,
    ".csv": Format.CSV,
}


class InvalidParamsFile(BackgroundJobsError):
    """A file of params cannot be read, or what stands in it was refused; nothing was started."""

    def __init__(self, place: str, reason: str) -> None:
        self.place, self.reason = place, reason
        super().__init__(f"{place}: {reason.rstrip('.')}. Nothing was started.")


class ParamsFile:
    """The params in a file, read while they are iterated over, once.

    Raises InvalidParamsFile if nothing tells how they are written.
    """

    def __init__(self, path: Path, written_as: Format | None = None) -> None:
        self.name = "standard input" if path == STANDARD_INPUT else str(path)
        self.place = self.name
        """The place of the params read last: ``params.csv, line 7``, or ``params.json, index 3``."""
        self.count = 0
        self._path = path
        self._format = written_as or _FORMATS.get(path.suffix.lower())
        if self._format is None and path != STANDARD_INPUT:
            raise InvalidParamsFile(
                self.name, "its name does not tell how it is written; add --format jsonl, json or csv"
            )

    def __iter__(self) -> Iterator[Any]:
        """Yield one after the other. Raises InvalidParamsFile, which names the place."""
        if self._path == STANDARD_INPUT:
            yield from self._read(BufferedReader(sys.stdin.buffer))  # type: ignore[arg-type] # it can be read
        else:
            with self._path.open("rb") as file:
                yield from self._read(file)

    def _read(self, file: BufferedReader) -> Iterator[Any]:
        readers = {Format.JSONL: self._json_lines, Format.JSON: self._json_array, Format.CSV: self._rows}
        for params in readers[self._format or _guess_format(file)](file):
            self.count += 1
            yield params

    def _lines(self, file: IO[bytes]) -> Iterator[str]:
        for number, line in enumerate(file, start=1):
            self.place = f"{self.name}, line {number}"
            try:
                # Spreadsheets begin a file with a byte order mark.
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                raise self._error("not UTF-8") from None

    def _json_lines(self, file: IO[bytes]) -> Iterator[Any]:
        for line in self._lines(file):
            if not line.isspace():
                try:
                    yield json.loads(line)
                except json.JSONDecodeError as invalid:
                    what = invalid.msg.removesuffix(" at")
                    raise self._error(f"not JSON: {what} at column {invalid.colno}") from None
                except (ValueError, RecursionError) as invalid:
                    raise self._error(f"not JSON that can be read: {invalid}") from None

    def _json_array(self, file: IO[bytes]) -> Iterator[Any]:
        import ijson

        try:
            events = ijson.parse(file, use_float=True)
            first = next(events)
            if first[1] != "start_array":
                raise self._error("not an array; add --format jsonl if it holds one object a line")
            for params in ijson.items(chain([first], events), "item"):
                self.place = f"{self.name}, index {self.count}"
                yield params
        except ijson.JSONError as invalid:
            self.place = f"{self.name}, index {self.count}"
            raise self._error(f"not JSON: {str(invalid).splitlines()[0]}") from None

    def _rows(self, file: IO[bytes]) -> Iterator[dict[str, str]]:
        rows = csv.reader(self._lines(file), strict=True)
        try:
            header = next(rows, [])
            if not all(header) or len(set(header)) < len(header) or not header:
                raise self._error("not a header row, in which every column has a name of its own")
            for row in filter(None, rows):
                if len(row) != len(header):
                    raise self._error(f"{len(row)} fields under a header row of {len(header)}")
                yield dict(zip(header, row, strict=True))
        except csv.Error as invalid:
            raise self._error(f"not CSV: {invalid}") from None

    def _error(self, reason: str) -> InvalidParamsFile:
        return InvalidParamsFile(self.place, reason)


def _guess_format(file: BufferedReader) -> Format:
    """Tell an array from objects a line by its first character: no line of params begins with a bracket."""
    return Format.JSON if file.peek(1).lstrip().startswith(b"[") else Format.JSONL
