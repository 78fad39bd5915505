"""What the two processes of a container share: the attempts that run now, and how our own code ended."""

import mmap
import os
import struct
import sys
import tempfile
import time
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, Self
from zlib import crc32

from background_jobs.core.limits import CONCURRENCY
from background_jobs.worker.next_shares import ShareLink

_HEADER: Final = struct.Struct("=qq")
_RECORD: Final = struct.Struct("=qqdq")
_TIME: Final = struct.Struct("=d")
_CHECKSUM: Final = struct.Struct("=I")
_NONE: Final = -1
_END: Final = 0
"""Where the exit status is that our own code announced, plus one; one byte is written at once."""
_TOLD: Final = 1
"""Where the outer process says that it hands on a SIGTERM."""
_LAUNCH: Final = 2
_TURN: Final = _LAUNCH + _HEADER.size + _CHECKSUM.size
"""Where the thread that decides what attempts do says when it did so last."""
_SLOTS: Final = _TURN + _TIME.size + _CHECKSUM.size
_SLOT_BYTES: Final = _RECORD.size + _CHECKSUM.size
SHARED_BYTES: Final = _SLOTS + CONCURRENCY * _SLOT_BYTES


@dataclass(frozen=True, slots=True)
class CurrentAttempt:
    """The attempt that runs, and until when it may."""

    index: int
    attempt: int
    deadline: float
    """On the monotonic clock, in seconds; infinite where there is no timeout."""


own_attempt: ContextVar[CurrentAttempt | None] = ContextVar("own_attempt", default=None)
"""The attempt for which this code runs, where several run at once in its process."""


class _Header(NamedTuple):
    launch: int
    slots: int


class _Record(NamedTuple):
    instance: int
    attempt: int
    deadline: float
    begun: int


class SharedCurrentAttempt:
    """Written by the process that runs jobs, read by its supervisor; neither needs a system call for it.

    It has a slot for each attempt that may run at a time: one, unless `begin_launch` says otherwise.

    *file* is the descriptor of SHARED_BYTES of zeros, where the processes are not forked from one another,
    and *supervisor* the process that reads, by default the one that makes this object. By *link*, if there is
    one, the process that runs jobs can get another share.
    """

    def __init__(self, file: int = -1, supervisor: int | None = None, link: ShareLink | None = None) -> None:
        self._memory = mmap.mmap(file, SHARED_BYTES)
        self.file = file
        """The descriptor of the memory; -1 where it has none."""
        self.supervisor: Final = os.getpid() if supervisor is None else supervisor
        self.link: Final = link
        self._begun = 0
        self.begin_launch(_NONE)

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

    def reset(self) -> None:
        """Forget all that was said of a share, before the process works on another."""
        self._memory[:] = bytes(SHARED_BYTES)
        self._begun = 0
        self.begin_launch(_NONE)

    def begin_launch(self, launch: int, slots: int = 1) -> None:
        """Say as which launch of its share the process works, and how many attempts run at once, at most."""
        for slot in range(slots):
            self.clear(slot)
        self._write(_LAUNCH, _HEADER.pack(launch, slots))

    def publish(self, current: CurrentAttempt, slot: int = 0) -> None:
        """Say which attempt is about to run."""
        self._begun += 1
        record = _RECORD.pack(current.index, current.attempt, current.deadline, self._begun)
        self._write(_SLOTS + slot * _SLOT_BYTES, record)

    def clear(self, slot: int = 0) -> None:
        """Say that no attempt runs in *slot*."""
        self._write(_SLOTS + slot * _SLOT_BYTES, _RECORD.pack(_NONE, 0, 0.0, self._begun))

    def read_all(self) -> list[CurrentAttempt]:
        """Return the attempts that run, without those that are being written at this moment."""
        return [
            CurrentAttempt(record.instance, record.attempt, record.deadline)
            for record in self._records()
            if record.instance != _NONE
        ]

    def read(self) -> CurrentAttempt | None:
        """Return the one attempt that runs; None where none does, or several."""
        running = self.read_all()
        return running[0] if len(running) == 1 else None

    def read_launch(self) -> int | None:
        """Return the launch as which the process works; None where no attempt has begun in it."""
        header = self._header()
        return header.launch if header and any(record.begun for record in self._records()) else None

    def note_turn(self) -> None:
        """Say that the thread that decides about several attempts has the interpreter."""
        self._write(_TURN, _TIME.pack(time.monotonic()))

    def seconds_since_turn(self) -> float:
        """Return for how long that thread has not said so; 0 where one attempt runs at a time."""
        written = self._read(_TURN, _TIME)
        return time.monotonic() - written[0] if written and written[0] else 0.0

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

    def _header(self) -> _Header | None:
        written = self._read(_LAUNCH, _HEADER)
        return _Header._make(written) if written else None

    def _records(self) -> list[_Record]:
        header = self._header()
        slots = range(header.slots if header else 0)
        written = (self._read(_SLOTS + slot * _SLOT_BYTES, _RECORD) for slot in slots)
        return [_Record._make(record) for record in written if record]

    def _read(self, start: int, kind: struct.Struct) -> tuple[Any, ...] | None:
        """Return what was written at *start*; None where it is only half written."""
        written = self._memory[start : start + kind.size + _CHECKSUM.size]
        record, checksum = written[: kind.size], written[kind.size :]
        return kind.unpack(record) if _CHECKSUM.pack(crc32(record)) == checksum else None

    def _write(self, start: int, record: bytes) -> None:
        # The other process may read after any byte of this, and processors may show the bytes in any order.
        self._memory[start : start + len(record) + _CHECKSUM.size] = record + _CHECKSUM.pack(crc32(record))
