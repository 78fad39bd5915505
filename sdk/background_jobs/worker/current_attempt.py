"""What the two processes of a container share: the attempt that runs now, and how our own code ended."""

import mmap
import os
import struct
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Self
from zlib import crc32

_RECORD: Final = struct.Struct("=qqdqq")
_CHECKSUM: Final = struct.Struct("=I")
_NONE: Final = -1
_END: Final = _RECORD.size + _CHECKSUM.size
"""Where the exit status is that our own code announced, plus one; one byte is written at once."""
_TOLD: Final = _END + 1
"""Where the outer process says that it hands on a SIGTERM."""
SHARED_BYTES: Final = _TOLD + 1


@dataclass(frozen=True, slots=True)
class CurrentAttempt:
    """The attempt that runs, and until when it may."""

    index: int
    attempt: int
    deadline: float
    """On the monotonic clock, in seconds; infinite where there is no timeout."""


class _Record(NamedTuple):
    instance: int
    attempt: int
    deadline: float
    launch: int
    begun: int


class SharedCurrentAttempt:
    """Written by the process that runs jobs, read by its supervisor; neither needs a system call for it.

    *file* is the descriptor of SHARED_BYTES of zeros, where the processes are not forked from one another,
    and *supervisor* the process that reads, by default the one that makes this object.
    """

    def __init__(self, file: int = -1, supervisor: int | None = None) -> None:
        self._memory = mmap.mmap(file, SHARED_BYTES)
        self.file = file
        """The descriptor of the memory; -1 where it has none."""
        self.supervisor: Final = os.getpid() if supervisor is None else supervisor
        self._launch, self._begun = _NONE, 0
        self.clear()

    @classmethod
    def in_file(cls) -> Self:
        """Return memory with a descriptor, for a child that is not forked; its starter closes it."""
        if sys.platform == "linux":
            file = os.memfd_create("current-attempt", 0)
        else:
            file, path = tempfile.mkstemp()
            Path(path).unlink()
            os.set_inheritable(file, True)  # noqa: FBT003 -- its only way
        os.ftruncate(file, SHARED_BYTES)
        return cls(file)

    def begin_launch(self, launch: int) -> None:
        """Say as which launch of its share the process works."""
        self._launch = launch
        self.clear()

    def publish(self, current: CurrentAttempt) -> None:
        """Say which attempt is about to run."""
        self._begun += 1
        self._write(current.index, current.attempt, current.deadline)

    def clear(self) -> None:
        """Say that no attempt runs."""
        self._write(_NONE, 0, 0.0)

    def read(self) -> CurrentAttempt | None:
        """Return the attempt that runs; None where none does, or where it is being written at this moment."""
        record = self._read()
        if record is None or record.instance == _NONE:
            return None
        return CurrentAttempt(record.instance, record.attempt, record.deadline)

    def read_launch(self) -> int | None:
        """Return the launch as which the process works; None where no attempt has begun in it."""
        record = self._read()
        return record.launch if record is not None and record.begun else None

    def announce_end(self, status: int) -> None:
        """Say that our own code ends the process with *status*; a job that ends it cannot say so."""
        self._memory[_END] = status + 1

    def read_end(self) -> int | None:
        """Return the status with which our own code ended the process; None where a job may have ended it."""
        return self._memory[_END] - 1 if self._memory[_END] else None

    def tell_to_end(self) -> None:
        """Say that the container is to end; the supervisor says so before it sends SIGTERM."""
        self._memory[_TOLD] = 1

    def is_told_to_end(self) -> bool:
        """Tell whether SIGTERM comes from the supervisor, and not from a job or a program of one."""
        return self._memory[_TOLD] == 1

    def is_unwatched(self) -> bool:
        """Tell whether the supervisor of this process is gone."""
        return self.supervisor not in {os.getpid(), os.getppid()}

    def _read(self) -> _Record | None:
        written = self._memory[:_END]
        record, checksum = written[: _RECORD.size], written[_RECORD.size :]
        return _Record(*_RECORD.unpack(record)) if _CHECKSUM.pack(crc32(record)) == checksum else None

    def _write(self, index: int, attempt: int, deadline: float) -> None:
        # The other process may read after any byte of this, and processors may show the bytes in any order.
        record = _RECORD.pack(index, attempt, deadline, self._launch, self._begun)
        self._memory[:_END] = record + _CHECKSUM.pack(crc32(record))
