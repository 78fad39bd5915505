"""What runs now, in memory that the two processes of a container share."""

import math
import mmap
import struct
from dataclasses import dataclass
from typing import Final

_RECORD: Final = struct.Struct("=qqd")
_IDLE: Final = -1


@dataclass(frozen=True, slots=True)
class Running:
    """The attempt that runs, and until when it may."""

    index: int
    attempt: int
    deadline: float
    """On the monotonic clock, in seconds; infinite where there is no timeout."""


class Beacon:
    """Written by the process that runs jobs, read by the one that watches it; it costs no system call."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _RECORD.size)
        self.idle()

    def running(self, running: Running) -> None:
        """Say what is about to run."""
        _RECORD.pack_into(self._memory, 0, running.index, running.attempt, running.deadline)

    def idle(self) -> None:
        """Say that no job runs."""
        # A reader may come between the parts of the next write, and must not see a deadline that has passed.
        _RECORD.pack_into(self._memory, 0, _IDLE, 0, math.inf)

    def read(self) -> Running | None:
        """Return what runs, or None."""
        running = Running(*_RECORD.unpack_from(self._memory))
        return None if running.index == _IDLE else running
