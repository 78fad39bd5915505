"""What the two processes of a container share: the attempt that runs now, and how our own code ended."""

import mmap
import struct
from dataclasses import dataclass
from typing import Final
from zlib import crc32

_RECORD: Final = struct.Struct("=qqdq")
_CHECKSUM: Final = struct.Struct("=I")
_NO_INDEX: Final = -1
_END: Final = _RECORD.size + _CHECKSUM.size
"""Where the exit status is that our own code announced, plus one; one byte is written at once."""


@dataclass(frozen=True, slots=True)
class CurrentAttempt:
    """The attempt that runs, and until when it may."""

    index: int
    attempt: int
    deadline: float
    """On the monotonic clock, in seconds; infinite where there is no timeout."""
    launch: int = 0
    """The launch whose attempt it is."""


class SharedCurrentAttempt:
    """Written by the process that runs jobs, read by its supervisor; neither needs a system call for it."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _END + 1)
        self.clear()

    def publish(self, current: CurrentAttempt) -> None:
        """Say which attempt is about to run."""
        self._write(current.index, current.attempt, current.deadline, current.launch)

    def clear(self) -> None:
        """Say that no attempt runs."""
        self._write(_NO_INDEX, 0, 0.0, 0)

    def read(self) -> CurrentAttempt | None:
        """Return the attempt that runs; None where none does, or where it is being written at this moment."""
        written = self._memory[:_END]
        record, checksum = written[: _RECORD.size], written[_RECORD.size :]
        if _CHECKSUM.pack(crc32(record)) != checksum:
            return None
        current = CurrentAttempt(*_RECORD.unpack(record))
        return None if current.index == _NO_INDEX else current

    def announce_end(self, status: int) -> None:
        """Say that our own code ends the process with *status*; a job that ends it cannot say so."""
        self._memory[_END] = status + 1

    def read_end(self) -> int | None:
        """Return the status with which our own code ended the process; None where a job may have ended it."""
        return self._memory[_END] - 1 if self._memory[_END] else None

    def _write(self, index: int, attempt: int, deadline: float, launch: int) -> None:
        # The other process may read after any byte of this, and processors may show the bytes in any order.
        record = _RECORD.pack(index, attempt, deadline, launch)
        self._memory[:_END] = record + _CHECKSUM.pack(crc32(record))
