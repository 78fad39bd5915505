"""What runs now, in memory that the two processes of a container share."""

import mmap
import struct
from dataclasses import dataclass
from typing import Final
from zlib import crc32

_RECORD: Final = struct.Struct("=qqd")
_CHECKSUM: Final = struct.Struct("=I")
_IDLE: Final = -1


@dataclass(frozen=True, slots=True)
class CurrentAttempt:
    """The attempt that runs, and until when it may."""

    index: int
    attempt: int
    deadline: float
    """On the monotonic clock, in seconds; infinite where there is no timeout."""


class SharedCurrentAttempt:
    """Written by the process that runs jobs, read by the one that watches it; it costs no system call."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _RECORD.size + _CHECKSUM.size)
        self.idle()

    def running(self, running: CurrentAttempt) -> None:
        """Say what is about to run."""
        self._write(running.index, running.attempt, running.deadline)

    def idle(self) -> None:
        """Say that no job runs."""
        self._write(_IDLE, 0, 0.0)

    def read(self) -> CurrentAttempt | None:
        """Return what runs; None where nothing does, or where that is being written at this moment."""
        written = self._memory[:]
        record, checksum = written[: _RECORD.size], written[_RECORD.size :]
        if _CHECKSUM.pack(crc32(record)) != checksum:
            return None
        running = CurrentAttempt(*_RECORD.unpack(record))
        return None if running.index == _IDLE else running

    def _write(self, index: int, attempt: int, deadline: float) -> None:
        # The other process may read between any two bytes of this, in whatever order a processor shows them.
        record = _RECORD.pack(index, attempt, deadline)
        self._memory[:] = record + _CHECKSUM.pack(crc32(record))
