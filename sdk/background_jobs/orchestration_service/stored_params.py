"""Reading back the params of an orchestration, which lie in the bucket in one object."""

import json
import sys
from array import array
from bisect import bisect
from collections import deque
from collections.abc import Iterable, Iterator
from tempfile import SpooledTemporaryFile
from typing import Any, Final, NamedTuple

from background_jobs.aws.payloads import Payloads
from background_jobs.core.events import OrchestrationStarted, PayloadRef
from background_jobs.core.payloads import fits_event
from background_jobs.core.ranges import InclusiveRange

_IN_MEMORY: Final = 8 * 1024 * 1024
_FIRST_PIECE: Final = 64 * 1024
_LONGEST_PIECE: Final = 4 * 1024 * 1024
_LAST_BYTE: Final = sys.maxsize


class StoredParams(NamedTuple):
    """The params of one instance as an event keeps them: inline, or by reference where they are large."""

    line: bytes | None
    ref: PayloadRef

    @property
    def inline_bytes(self) -> int:
        """Return how much memory they take."""
        return len(self.line or b"")

    def fields(self) -> dict[str, Any]:
        """Return the one field of the event."""
        return {"params_ref": self.ref} if self.line is None else {"params": json.loads(self.line)}


class ParamsReader:
    """Reads the params of some instances whose indices ascend: a piece of their object at a time.

    Where many are left out, it goes on where the share of the next one begins; the list of shares says where.
    """

    def __init__(self, started: OrchestrationStarted, payloads: Payloads) -> None:
        self._started = started
        self._payloads = payloads
        self._next_index = 0
        self._first_byte = 0
        """Where the next line begins."""
        self._next_byte = 0
        self._piece_bytes = _FIRST_PIECE
        self._lines: deque[bytes] = deque()
        """The lines that were read and not yet returned; the last one is a beginning, or empty."""
        self._shares: list[tuple[int, int]] | None = None
        """The first index and the first byte of each share, once they are needed."""

    def read(self, index: int) -> dict[str, Any]:
        """Return the params of the instance at *index*, which is beyond that of the call before.

        Raises PayloadNotFound once the params have expired.
        """
        params: dict[str, Any] = json.loads(self._read_line(index))
        return params

    def read_stored(self, index: int) -> StoredParams:
        """Return the same params as an event keeps them. Raises PayloadNotFound once they have expired."""
        line = self._read_line(index)
        length = len(line) + 1
        byte_range = InclusiveRange.at(self._first_byte - length, length)
        ref = PayloadRef(key=self._started.params_key, bytes=str(byte_range))
        return StoredParams(line if fits_event(line) else None, ref)

    def _read_line(self, index: int) -> bytes:
        while index - self._next_index >= len(self._lines) - 1:
            self._read_piece(index)
        while self._next_index < index:
            self._take_line()
        return self._take_line()

    def _take_line(self) -> bytes:
        line = self._lines.popleft()
        self._next_index += 1
        self._first_byte += len(line) + 1
        return line

    def _read_piece(self, index: int) -> None:
        """Read on, up to 4 MB, from where the share of *index* begins if that is ahead."""
        while len(self._lines) > 1:
            self._take_line()
        if index > self._next_index:
            self._skip_to_share(index)
        piece = InclusiveRange.at(self._next_byte, self._piece_bytes)
        lines = self._payloads.get(self._started.params_key, str(piece)).split(b"\n")
        self._next_byte = piece.last + 1
        self._piece_bytes = min(2 * self._piece_bytes, _LONGEST_PIECE)
        if self._lines:
            lines[0] = self._lines.pop() + lines[0]
        self._lines.extend(lines)

    def _skip_to_share(self, index: int) -> None:
        if self._shares is None:
            self._shares = [
                (InclusiveRange.parse(share["indices"]).first, InclusiveRange.parse(share["bytes"]).first)
                for share in map(json.loads, self._payloads.lines(self._started.shares_key))
            ]
        first_index, first_byte = self._shares[bisect(self._shares, (index, _LAST_BYTE)) - 1]
        if first_index > self._next_index:
            self._lines.clear()
            self._next_index, self._first_byte, self._next_byte = first_index, first_byte, first_byte
            self._piece_bytes = _FIRST_PIECE


def read_params(
    started: OrchestrationStarted, indices: Iterable[int], payloads: Payloads
) -> Iterator[dict[str, Any]]:
    """Yield the params of the instances at *indices*, which ascend. Raises PayloadNotFound."""
    return map(ParamsReader(started, payloads).read, indices)


def read_all_params(started: OrchestrationStarted, payloads: Payloads) -> Iterable[dict[str, Any]]:
    """Yield the params of every instance, in order. Raises PayloadNotFound."""
    return map(json.loads, payloads.lines(started.params_key)) if started.total else ()


class ParamsCopy:
    """A copy of all params that is read in any order; beyond 8 MB it lies on disk."""

    def __init__(self, started: OrchestrationStarted, payloads: Payloads) -> None:
        self._started = started
        self._payloads = payloads
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 -- see close
        self._starts = array("Q")

    def read(self, index: int) -> dict[str, Any]:
        """Return the params of the instance at *index*; the first call makes the copy.

        Raises PayloadNotFound once the params have expired.
        """
        if not self._starts:
            for line in self._payloads.lines(self._started.params_key):
                self._starts.append(self._file.tell())
                self._file.write(line + b"\n")
        self._file.seek(self._starts[index])
        params: dict[str, Any] = json.loads(self._file.readline())
        return params

    def close(self) -> None:
        """Drop the copy."""
        self._file.close()
