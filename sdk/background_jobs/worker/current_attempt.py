"""The attempt that runs now, in memory that the two processes of a container share."""

import mmap
import struct
from dataclasses import dataclass
from typing import Final
from zlib import crc32

_RECORD: Final = struct.Struct("=qqd")
_CHECKSUM: Final = struct.Struct("=I")
_NO_INDEX: Final = -1


@dataclass(frozen=True, slots=True)
class CurrentAttempt:
    """The attempt that runs, and until when it may."""

    index: int
    attempt: int
    deadline: float
    """On the monotonic clock, in seconds; infinite where there is no timeout."""


class SharedCurrentAttempt:
    """Written by the process that runs jobs, read by its supervisor; neither needs a system call for it."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _RECORD.size + _CHECKSUM.size)
        self.clear()

    def publish(self, current: CurrentAttempt) -> None:
        """Say which attempt is about to run."""
        self._write(current.index, current.attempt, current.deadline)

    def clear(self) -> None:
        """Say that no attempt runs."""
        self._write(_NO_INDEX, 0, 0.0)

    def read(self) -> CurrentAttempt | None:
        """Return the attempt that runs; None where none does, or where it is being written at this moment."""
        written = self._memory[:]
        record, checksum = written[: _RECORD.size], written[_RECORD.size :]
        if _CHECKSUM.pack(crc32(record)) != checksum:
            return None
        current = CurrentAttempt(*_RECORD.unpack(record))
        return None if current.index == _NO_INDEX else current

    def _write(self, index: int, attempt: int, deadline: float) -> None:
        # The other process may read after any byte of this, and processors may show the bytes in any order.
        record = _RECORD.pack(index, attempt, deadline)
        self._memory[:] = record + _CHECKSUM.pack(crc32(record))
