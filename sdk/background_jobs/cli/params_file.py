"""Params from a file or standard input, one by one, and where in it each of them stands."""

import codecs
import csv
import json
import sys
from collections.abc import Iterator
from enum import StrEnum
from io import BufferedReader
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final

from background_jobs.cli.json_array import ArrayReader, InvalidArray
from background_jobs.core.errors import BackgroundJobsError
from background_jobs.core.limits import INSTANCE_PARAMS_BYTES
from background_jobs.core.strict_json import JSON

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
    ".tsv": Format.CSV,
}


_DELIMITERS: Final = {"commas": ",", "semicolons": ";", "tabs": "\t"}
_ENCODINGS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


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
        """The place of the params read last: ``params.csv, line 7``, or ``params.json, line 9, index 3``."""
        self.count = 0
        self._path = path
        self._format = written_as or _FORMATS.get(path.suffix.lower())
        if self._format is None and path != STANDARD_INPUT:
            raise InvalidParamsFile(
                self.name, "its name does not tell how it is written; add --format jsonl, json or csv"
            )

    @property
    def is_csv(self) -> bool:
        """Tell whether every value is a text."""
        return self._format is Format.CSV

    def __iter__(self) -> Iterator[Any]:
        """Yield one after the other. Raises InvalidParamsFile, which names the place."""
        if self._path == STANDARD_INPUT:
            if sys.stdin is None:
                raise self._error("it is closed; name a file, or pipe the params in")
            piped: BufferedReader = BufferedReader(sys.stdin.buffer)  # type: ignore[arg-type] # it can be read
            if not piped.peek(1):
                raise self._error("it is empty; what writes the params may have failed ([] is no instances)")
            yield from self._read(piped)
            return
        try:
            with self._path.open("rb") as file:
                yield from self._read(file)
        except OSError as unreadable:
            raise self._error(unreadable.strerror or str(unreadable)) from None

    def _read(self, file: BufferedReader) -> Iterator[Any]:
        self._check_encoding(file)
        readers = {Format.JSONL: self._json_lines, Format.JSON: self._json_array, Format.CSV: self._rows}
        for params in readers[self._format or _guess_format(file)](file):
            self.count += 1
            yield params

    def _check_encoding(self, file: BufferedReader) -> None:
        """Skip the byte order mark with which spreadsheets begin a file. Raises InvalidParamsFile."""
        head = file.peek(4)[:4]
        if head.startswith(_ENCODINGS) or b"\0" in head:
            raise self._error("its text is UTF-16 or UTF-32; save it as UTF-8")
        if head.startswith(codecs.BOM_UTF8):
            file.read(len(codecs.BOM_UTF8))

    def _lines(self, file: IO[bytes]) -> Iterator[str]:
        for number, line in enumerate(file, start=1):
            self.place = f"{self.name}, line {number}"
            try:
                yield line.decode()
            except UnicodeDecodeError:
                raise self._error("not UTF-8") from None

    def _json_lines(self, file: IO[bytes]) -> Iterator[Any]:
        for line in self._lines(file):
            if not line.isspace():
                try:
                    yield JSON.decode(line)
                except json.JSONDecodeError as invalid:
                    what = invalid.msg.removesuffix(" at")
                    raise self._error(f"not JSON: {what} at column {invalid.colno}") from None
                except (ValueError, RecursionError) as invalid:
                    raise self._error(f"not JSON that can be read: {invalid}") from None

    def _json_array(self, file: IO[bytes]) -> Iterator[Any]:
        try:
            for item in ArrayReader(file):
                self.place = f"{self.name}, line {item.line}, index {self.count}"
                yield item.value
        except InvalidArray as invalid:
            self.place = f"{self.name}, line {invalid.line}, index {self.count}"
            raise self._error(invalid.reason) from None

    def _rows(self, file: IO[bytes]) -> Iterator[dict[str, str]]:
        lines = self._lines(file)
        first = next(filter(str.strip, lines), "")
        csv.field_size_limit(INSTANCE_PARAMS_BYTES)
        rows = csv.reader(chain([first], lines), strict=True, delimiter=self._choose_delimiter(first))
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

    def _choose_delimiter(self, header: str) -> str:
        """Return what separates the columns of *header*: commas, or semicolons as spreadsheets also write."""
        unquoted = "".join(header.split('"')[::2])
        used = [name for name, sign in _DELIMITERS.items() if sign in unquoted]
        if len(used) > 1:
            raise self._error(
                f"the header row has {' and '.join(used)}; separate its columns by one of them, and put a "
                "name that contains the other into quotes"
            )
        if not used and "|" in unquoted:
            raise self._error("the columns are separated by '|'; use commas, semicolons or tabs")
        return _DELIMITERS[used[0]] if used else ","

    def _error(self, reason: str) -> InvalidParamsFile:
        return InvalidParamsFile(self.place, reason)


def _guess_format(file: BufferedReader) -> Format:
    """Tell an array from objects a line by its first character: no line of params begins with a bracket."""
    return Format.JSON if file.peek(1).lstrip().startswith(b"[") else Format.JSONL
