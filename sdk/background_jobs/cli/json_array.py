"""The items of a long JSON array, one by one, exactly as `json` reads them."""

import codecs
import json
from collections.abc import Iterator
from typing import IO, Final, NamedTuple

from background_jobs.core.strict_json import JSON

_CHUNK_BYTES: Final = 64 * 1024
_LONGEST_ITEM: Final = 32 * 1024 * 1024
"""Characters of an item that is still incomplete; params have a mebibyte, and may be indented."""
_LONGEST_TOKEN: Final = 16
"""Where less than this follows an error, it may be a token that was cut, such as ``-Infinity``."""
_SPACE: Final = " \t\r\n"


class Item(NamedTuple):
    """An item, and the line on which it begins, from 1."""

    value: object
    line: int


class InvalidArray(ValueError):
    """The text is no JSON array; *line* says where, from 1."""

    def __init__(self, reason: str, line: int) -> None:
        self.reason, self.line = reason, line
        super().__init__(reason, line)


class ArrayReader:
    """Reads an array of a binary file in UTF-8 while its items are iterated over; it holds a few of them."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text = ""
        self._position = 0
        self._line = 1
        self._is_at_end = False

    def __iter__(self) -> Iterator[Item]:
        """Yield the items. Raises InvalidArray."""
        if (first := self._next_character()) != "[":
            if not first:
                raise self._invalid("empty; an array of no params is []")
            raise self._invalid("not an array; add --format jsonl if it holds one object a line")
        self._skip(1)
        while self._next_character() != "]":
            line = self._line
            yield Item(self._read_item(), line)
            if (separator := self._next_character()) not in {",", "]"}:
                raise self._invalid(
                    f"not JSON: {'a comma' if separator else 'the end of the array'} is missing"
                )
            if separator == ",":
                self._skip(1)
                if self._next_character() == "]":
                    raise self._invalid("not JSON: a comma stands before the end of the array")
        self._skip(1)
        if self._next_character():
            raise self._invalid("not JSON: something follows the array")

    def _read_item(self) -> object:
        while True:
            try:
                value, end = JSON.raw_decode(self._text, self._position)
            except json.JSONDecodeError as invalid:
                if self._is_final(invalid):
                    self._skip(invalid.pos - self._position)
                    raise self._invalid(f"not JSON: {invalid.msg.removesuffix(' at')}") from None
            except (ValueError, RecursionError) as invalid:
                raise self._invalid(f"not JSON that can be read: {invalid}") from None
            else:
                # A number may go on in what is not read yet: "1." was read as 1.
                if end + _LONGEST_TOKEN <= len(self._text) or self._is_at_end:
                    self._skip(end - self._position)
                    return value
            self._read_more()

    def _is_final(self, invalid: json.JSONDecodeError) -> bool:
        """Tell whether what follows cannot mend it."""
        if self._is_at_end or len(self._text) - self._position > _LONGEST_ITEM:
            return True
        is_cut = invalid.msg.startswith("Unterminated") or invalid.pos > len(self._text) - _LONGEST_TOKEN
        return not is_cut

    def _next_character(self) -> str:
        """Skip white space, and return what follows without taking it; nothing at the end."""
        while True:
            rest = self._text[self._position : self._position + _LONGEST_TOKEN]
            if found := rest.lstrip(_SPACE):
                self._skip(len(rest) - len(found))
                return found[0]
            if not rest and self._is_at_end:
                return ""
            self._skip(len(rest))
            if self._position == len(self._text):
                self._read_more()

    def _skip(self, characters: int) -> None:
        end = self._position + characters
        self._line += self._text.count("\n", self._position, end)
        self._position = end

    def _read_more(self) -> None:
        """Read on: as much again as an item that is incomplete takes so far, which keeps the work linear."""
        chunk = self._file.read(max(_CHUNK_BYTES, len(self._text) - self._position))
        self._is_at_end = not chunk
        try:
            text = self._decoder.decode(chunk, final=self._is_at_end)
        except UnicodeDecodeError:
            raise self._invalid("not UTF-8, here or below") from None
        self._text = self._text[self._position :] + text
        self._position = 0

    def _invalid(self, reason: str) -> InvalidArray:
        return InvalidArray(reason, self._line)
