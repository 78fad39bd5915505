"""The status of a job instance, and the vector that holds one rank of four bits per instance.

A rank only ever rises, so merging by maximum is commutative and idempotent:

====  ==========================================================
rank  meaning
====  ==========================================================
0     no attempt yet
odd   attempt (rank + 1) / 2 runs (13: attempt 7 or a later one)
even  attempt rank / 2 failed and another follows (12: attempt 6 or a later one)
14    Completed
15    Errored
====  ==========================================================
"""

import zlib
from collections.abc import Container, Iterator
from enum import StrEnum
from typing import Final, Self

from background_jobs.core.ranges import EqualParts

WAITING: Final = 0
COMPLETED: Final = 14
ERRORED: Final = 15
_LAST_RUNNING: Final = 13

CHUNK_SIZE: Final = 250_000
"""Job instances per stored chunk: a thousand log partitions. Neighbours mostly have the same rank, so packed
it is one write unit where few instances fail, and at most 125 KB."""
CHUNKS: Final = EqualParts(CHUNK_SIZE)
"""How instances are cut into chunks."""


class Status(StrEnum):
    """The status of a job instance, as callers see it; Completed and Errored are final."""

    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    ERRORED = "Errored"


class OrchestrationStatus(StrEnum):
    """The status of an orchestration, or of a pipeline, as a whole."""

    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    """Every instance completed."""
    ERRORED = "Errored"
    """An instance errored."""
    CANCELLED = "Cancelled"
    """It was cancelled, and an instance did not complete."""


def running(attempt: int) -> int:
    """Return the rank of an instance while attempt *attempt* (from 1) runs.

    >>> [running(1), running(2), running(99)]
    [1, 3, 13]
    """
    return min(2 * attempt - 1, _LAST_RUNNING)


def waiting_again(attempt: int) -> int:
    """Return the rank of an instance after attempt *attempt* (from 1) failed, while another is to follow.

    >>> [waiting_again(1), waiting_again(6), waiting_again(99)]
    [2, 12, 12]
    """
    return min(2 * attempt, _LAST_RUNNING - 1)


def is_running(rank: int) -> bool:
    """Tell whether an attempt runs at this rank."""
    return rank % 2 == 1 and rank <= _LAST_RUNNING


def is_backing_off(rank: int) -> bool:
    """Tell whether an attempt failed at this rank, and another is to follow."""
    return rank % 2 == 0 and WAITING < rank < _LAST_RUNNING


def status_of(rank: int) -> Status:
    """Return the status that callers see for *rank*.

    >>> status_of(3).value
    'InProgress'
    """
    if rank == COMPLETED:
        return Status.COMPLETED
    return Status.ERRORED if rank == ERRORED else Status.IN_PROGRESS


class State(StrEnum):
    """The state of a job instance, finer than its status; in grids its first letter stands for it."""

    WAITING = "waiting"
    RUNNING = "running"
    BACKING_OFF = "backing off"
    """An attempt failed, and another is to follow."""
    COMPLETED = "Completed"
    ERRORED = "Errored"


def state_of(rank: int) -> State:
    """Return the state of an instance at *rank*.

    >>> state_of(2).value
    'backing off'
    """
    if rank == WAITING:
        return State.WAITING
    if rank >= COMPLETED:
        return State.COMPLETED if rank == COMPLETED else State.ERRORED
    return State.RUNNING if is_running(rank) else State.BACKING_OFF


def attempt_of(rank: int) -> int | None:
    """Return the attempt that runs or failed at *rank*; None for a final rank.

    >>> attempt_of(3), attempt_of(COMPLETED)
    (2, None)
    """
    return (rank + 1) // 2 if rank < COMPLETED else None


def rank_of(state: State, attempt: int | None) -> int:
    """Return the rank of an instance in *state*, at *attempt* where one runs or failed.

    >>> rank_of(State.RUNNING, 2), rank_of(State.ERRORED, None)
    (3, 15)
    """
    match state:
        case State.RUNNING:
            return running(attempt or 1)
        case State.BACKING_OFF:
            return waiting_again(attempt or 1)
        case State.COMPLETED:
            return COMPLETED
        case State.ERRORED:
            return ERRORED
    return WAITING


LETTERS: Final = "".join(state_of(rank).value[0] for rank in range(ERRORED + 1))
"""The letter of each rank: ``w``, ``r``, ``b``, ``C`` or ``E``."""


_TO_LETTERS: Final = LETTERS.encode().ljust(256)
_FROM_DIGITS: Final = bytes.maketrans(b"0123456789abcdef", bytes(range(16)))


class StatusChunk:
    """The ranks of CHUNK_SIZE consecutive instances; stored as two instances a byte, packed."""

    __slots__ = ("_ranks",)

    def __init__(self, ranks: bytearray | None = None) -> None:
        self._ranks = bytearray(CHUNK_SIZE) if ranks is None else ranks

    @classmethod
    def unpacked(cls, packed: bytes) -> Self:
        """Read a chunk from the bytes that `packed` made."""
        ranks = zlib.decompress(packed).hex().encode().translate(_FROM_DIGITS)
        return cls(bytearray(ranks.ljust(CHUNK_SIZE, b"\0")))

    def packed(self) -> bytes:
        """Return one hexadecimal digit per instance, up to the last that has begun, as packed bytes."""
        digits = bytes(self._ranks).rstrip(b"\0").hex()[1::2]
        return zlib.compress(bytes.fromhex(digits + "0" * (len(digits) % 2)))

    def rank(self, offset: int) -> int:
        """Return the rank of the instance at *offset* in this chunk."""
        return self._ranks[offset]

    def letters(self) -> str:
        """Return the state of every instance of this chunk, a letter each."""
        return bytes(self._ranks).translate(_TO_LETTERS).decode()

    def offsets(self, states: Container[State], count: int) -> Iterator[int]:
        """Yield the offsets of those of the first *count* instances that are in one of *states*."""
        ranks = frozenset(rank for rank in range(ERRORED + 1) if state_of(rank) in states)
        return (offset for offset, rank in enumerate(self._ranks[:count]) if rank in ranks)

    def raise_rank(self, offset: int, rank: int) -> int | None:
        """Raise the instance at *offset* to *rank*; return its former rank, or None if it was as high."""
        before = self._ranks[offset]
        if rank <= before:
            return None
        self._ranks[offset] = rank
        return before

    def copy(self) -> Self:
        """Return an independent copy."""
        return type(self)(bytearray(self._ranks))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StatusChunk) and self._ranks == other._ranks

    def __hash__(self) -> int:
        return hash(bytes(self._ranks))
