"""Reading back the params of an orchestration, which lie in the bucket in one object."""

import json
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from tempfile import SpooledTemporaryFile
from typing import Any, Final, NamedTuple

from background_jobs.aws.payloads import Payloads
from background_jobs.core.events import OrchestrationStarted, PayloadRef
from background_jobs.core.payloads import INLINE_BYTES
from background_jobs.core.ranges import InclusiveRange

_IN_MEMORY: Final = 8 * 1024 * 1024
_SHORT_SKIP: Final = 1024 * 1024
"""Bytes that are sooner read than skipped by another request."""


def read_params(
    started: OrchestrationStarted, first: int, last: int, payloads: Payloads
) -> dict[int, dict[str, Any]]:
    """Return the params of the instances *first* to *last*, by index; the list of shares says where they are.

    Raises PayloadNotFound once the params have expired.
    """
    shares = [
        (InclusiveRange.parse(share["indices"]), InclusiveRange.parse(share["bytes"]))
        for share in map(json.loads, payloads.lines(started.shares_key))
    ]
    covering = [share for share in shares if share[0].first <= last and share[0].last >= first]
    byte_range = InclusiveRange(covering[0][1].first, covering[-1][1].last)
    lines = payloads.get(started.params_key, str(byte_range)).splitlines()
    numbered = enumerate(lines, start=covering[0][0].first)
    return {index: json.loads(line) for index, line in numbered if first <= index <= last}


def read_all_params(started: OrchestrationStarted, payloads: Payloads) -> Iterable[dict[str, Any]]:
    """Yield the params of every instance, in order. Raises PayloadNotFound."""
    return map(json.loads, payloads.lines(started.params_key)) if started.total else ()


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


class ParamsInOrder:
    """Reads the params of some instances, the indices rising, with few requests for parts of their object."""

    def __init__(self, started: OrchestrationStarted, payloads: Payloads) -> None:
        self._started = started
        self._payloads = payloads
        self._shares: list[tuple[int, int]] = []
        """The first index of each share, and where its params begin."""
        self._lines: Iterator[bytes] = iter(())
        self._next_index = self._next_byte = 0

    def read(self, indices: Sequence[int]) -> dict[int, StoredParams]:
        """Return the params of *indices*, ascending and all behind those that were read before, by index.

        Raises PayloadNotFound once the params have expired.
        """
        return {index: self._read(index) for index in indices}

    def _read(self, index: int) -> StoredParams:
        self._skip_to_share_of(index)
        while True:
            line, first_byte = next(self._lines), self._next_byte
            self._next_index += 1
            self._next_byte += len(line) + 1
            if self._next_index > index:
                ref = PayloadRef(
                    key=self._started.params_key, bytes=str(InclusiveRange.at(first_byte, len(line) + 1))
                )
                return StoredParams(line if len(line) < INLINE_BYTES else None, ref)

    def _skip_to_share_of(self, index: int) -> None:
        """Read from the share of *index* on, unless that begins where it reads already, or not far behind."""
        is_first = not self._shares
        if is_first:
            for share in map(json.loads, self._payloads.lines(self._started.shares_key)):
                first = InclusiveRange.parse(share["indices"]).first
                self._shares.append((first, InclusiveRange.parse(share["bytes"]).first))
        first, byte = self._shares[bisect_right(self._shares, index, key=itemgetter(0)) - 1]
        if is_first or byte > self._next_byte + _SHORT_SKIP:
            self._lines = iter(self._payloads.lines(self._started.params_key, from_byte=byte))
            self._next_index, self._next_byte = first, byte


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
