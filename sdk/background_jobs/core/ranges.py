"""Ranges of consecutive instances or bytes, and the equal parts in which instances are stored."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple, Self


class InclusiveRange(NamedTuple):
    """Consecutive numbers, both ends included: the instances of a share, or the bytes of an object.

    >>> str(InclusiveRange.parse("0-249"))
    '0-249'
    """

    first: int
    last: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a range from ``<first>-<last>``. Raises ValueError if *text* is none.

        >>> InclusiveRange.parse("0-249")
        InclusiveRange(first=0, last=249)
        """
        first, last = map(int, text.split("-"))
        if last < first:
            raise ValueError(f"the range {text} ends before it begins")
        return cls(first, last)

    @classmethod
    def at(cls, first: int, length: int) -> Self:
        """Return the range of *length* numbers that begins at *first*.

        >>> str(InclusiveRange.at(10, 5))
        '10-14'
        """
        return cls(first, first + length - 1)

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    def numbers(self) -> range:
        """Return every number of the range."""
        return range(self.first, self.last + 1)


@dataclass(frozen=True, slots=True)
class EqualParts:
    """Job instances in parts of *size* consecutive indices; parts are numbered from 0."""

    size: int

    def locate(self, index: int) -> tuple[int, int]:
        """Return the number of the part that holds instance *index*, and the offset of the instance in it.

        >>> EqualParts(250).locate(251)
        (1, 1)
        """
        return divmod(index, self.size)

    def number(self, index: int) -> int:
        """Return the number of the part that holds instance *index*."""
        return index // self.size

    def index(self, number: int, offset: int = 0) -> int:
        """Return the index of the instance at *offset* in part *number*."""
        return number * self.size + offset

    def count(self, total: int) -> int:
        """Return how many parts *total* instances take; the last one may not be full.

        >>> EqualParts(250).count(251)
        2
        """
        return -(-total // self.size)

    def group(self, indices: Iterable[int]) -> Iterator[list[int]]:
        """Yield *indices*, which ascend, in lists of those that are in the same part.

        >>> list(EqualParts(250).group([3, 249, 250]))
        [[3, 249], [250]]
        """
        for _, group in groupby(indices, key=self.number):
            yield list(group)

    def split(self, indices: InclusiveRange) -> Iterator[InclusiveRange]:
        """Cut *indices* where one part ends and the next begins.

        >>> [str(piece) for piece in EqualParts(250).split(InclusiveRange(240, 260))]
        ['240-249', '250-260']
        """
        for number in range(self.number(indices.first), self.number(indices.last) + 1):
            part = InclusiveRange.at(self.index(number), self.size)
            yield InclusiveRange(max(part.first, indices.first), min(part.last, indices.last))
