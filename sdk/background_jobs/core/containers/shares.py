"""The plan of a fan-out: contiguous shares of job instances, one for each container."""

import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from background_jobs.core import ids
from background_jobs.core.ranges import InclusiveRange


class Share(NamedTuple):
    """The contiguous instances that one container is handed, and where their params are."""

    number: int
    first: int
    last: int
    first_byte: int
    last_byte: int

    def manifest_line(self, orchestration_id: str) -> bytes:
        """Return the share as one line of the manifest; all values are text, as ECS wants them."""
        fields = {
            "share": str(self.number),
            "job_id": ids.job_id(orchestration_id, self.first),
            "indices": str(InclusiveRange(self.first, self.last)),
            "bytes": str(InclusiveRange(self.first_byte, self.last_byte)),
        }
        return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def share_count(total: int, parallelism: int | None, limit: int, default: int | None = None) -> int:
    """Return how many shares *total* instances are cut into, where an environment allows *limit* containers.

    Where the kick-off names no *parallelism*, *default* counts, and the limit where that is None.

    >>> share_count(10_000, None, 100), share_count(3, 8, 100), share_count(10_000, None, 100, 2)
    (100, 3, 2)
    """
    wanted = default if parallelism is None else parallelism
    return min(total, limit if wanted is None else min(wanted, limit))


def share_bounds(number: int, total: int, count: int) -> InclusiveRange:
    """Return the instances of share *number* (from 0), where *total* are cut into *count* shares.

    >>> [str(share_bounds(number, 10, 4)) for number in range(4)]
    ['0-2', '3-5', '6-7', '8-9']
    """
    size, longer = divmod(total, count)
    first = number * size + min(number, longer)
    return InclusiveRange.at(first, size + (number < longer))


def share_of(index: int, total: int, count: int) -> int:
    """Return the number of the share that has the instance at *index*; the arguments are those before.

    >>> [share_of(index, 10, 4) for index in range(10)]
    [0, 0, 0, 1, 1, 1, 2, 2, 3, 3]
    """
    size, longer = divmod(total, count)
    beyond = index - longer * (size + 1)
    return index // (size + 1) if beyond < 0 else longer + beyond // size


def cut_shares(line_lengths: Iterable[int], total: int, count: int) -> Iterator[Share]:
    """Cut *total* lines, given by their lengths in bytes, into *count* shares that differ by one at most.

    >>> [(s.first, s.last, s.first_byte, s.last_byte) for s in cut_shares([5, 5, 5], total=3, count=2)]
    [(0, 1, 0, 9), (2, 2, 10, 14)]
    """
    lengths = iter(line_lengths)
    first = byte = 0
    for number in range(count):
        size = total // count + (number < total % count)
        length = sum(next(lengths) for _ in range(size))
        yield Share(number, first, first + size - 1, byte, byte + length - 1)
        first, byte = first + size, byte + length
