"""Blocks: the events that one owner of a range of instances appends with one write.

A range is the part of a share that lies in one partition of the log. Its blocks are numbered from 0 without
gaps, and the number is the block's place: whoever appends knows every block before it, and only one can have
the next number. An owner whose place is taken by somebody else has lost the range (`core.ownership`).
"""

import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Final, Generic, NamedTuple, Self, TypeVar

from pydantic import Field, TypeAdapter
from pydantic_core import from_json

from background_jobs.core.containers.shares import cut_shares
from background_jobs.core.events import (
    EVENT_TYPES,
    PARTITION_SIZE,
    EventKey,
    InstancesClaimed,
    JobCompleted,
    JobErrored,
    JobEvent,
    LaterEvent,
    LogEvent,
    explain_unreadable,
    find_later_event,
    job_partition,
)
from background_jobs.core.json_arrays import split_array

_E = TypeVar("_E", bound=LogEvent)

BLOCK_BYTES: Final = 128 * 1024
"""The JSON of one block, before it is packed; a single event may be longer, far below DynamoDB's 400 KB."""
READABLE_BYTES: Final = 768
"""A document up to this size is kept as text: with its keys it takes one write unit, packed or not."""
_MOST_BYTES: Final = 4 * 1024 * 1024
"""What a packed document may hold; beyond it, it is none of ours."""
_LEVEL: Final = 1
"""Of zlib: a ninth of the bytes for a quarter of a microsecond an event; higher levels save little more."""
_TYPE: Final = re.compile(rb'(?<!"error":\{)"type":"([A-Za-z0-9]+)"')
"""The types of events; the first field of an error is a type, too."""
_ENVELOPE: Final = {"orchestration_id", "schema_version"}
"""The fields of an event that its place and its block say already."""
BLOCK_SORT: Final = "block#"
"""How the sort keys of all blocks begin."""
_EVENTS: Final[TypeAdapter[list[JobEvent]]] = TypeAdapter(
    list[Annotated[JobEvent, Field(discriminator="type")]]
)


class InvalidBlock(ValueError):
    """What is stored as a block cannot be one."""


class Fault(NamedTuple):
    """Why something that an item of the log holds cannot be read."""

    reason: str
    later: LaterEvent | None = None
    """The event, if a later release wrote it."""

    def __str__(self) -> str:
        return self.reason


class Contents(NamedTuple, Generic[_E]):
    """What an item of the log holds, as far as it can be read."""

    events: Sequence[_E]
    faults: Sequence[Fault] = ()
    """Why the rest of it cannot be read; empty where all can."""

    @property
    def later(self) -> list[LaterEvent]:
        """Return the events that a later release wrote."""
        return [fault.later for fault in self.faults if fault.later]


class InstanceRange(NamedTuple):
    """Consecutive job instances that have one owner at a time."""

    service: str
    orchestration_id: str
    first: int
    last: int

    @property
    def partition(self) -> str:
        """Return the log partition of the range's blocks."""
        return job_partition(self.service, self.orchestration_id, self.first)

    def part(self, first: int, last: int) -> Self:
        """Return the range of the instances *first* to *last* of the same orchestration."""
        return self._replace(first=first, last=last)

    def key(self, sequence: int) -> EventKey:
        """Return the place of the block with this number."""
        return EventKey(self.partition, f"{self.prefix}{sequence:06d}")

    @property
    def prefix(self) -> str:
        """Return how the sort keys of all blocks of the range begin."""
        return f"{BLOCK_SORT}{self.first:08d}-{self.last:08d}#"


class Block(NamedTuple):
    """Events of one range, appended together; an empty one is a fence alone.

    *body* is the JSON array of the events, without the fields that the block's place says.
    """

    range: InstanceRange
    sequence: int
    fence: int
    """Under which number its owner took the range, from 0; a later owner has a higher one."""
    owner: str
    """Who appended it: another text for each process and each call that ever owns a range."""
    body: bytes = b"[]"

    @property
    def key(self) -> EventKey:
        """Return the block's place, and its identity."""
        return self.range.key(self.sequence)

    def is_by(self, owner: str) -> bool:
        """Tell whether *owner* appended it; then it holds what *owner* meant to append here."""
        return self.owner == owner

    def may_tell_of(self, kinds: Iterable[type[LogEvent]]) -> bool:
        """Tell whether it may hold events of some kinds, without reading them.

        A text in a result or in params may look like one.
        """
        return any(kind.__name__.encode() in self.body for kind in kinds)

    def events(self) -> list[JobEvent]:
        """Return the events, in the order in which they were added.

        Raises InvalidBlock where one is of no instance of the range, or pydantic.ValidationError.
        """
        fields: list[dict[str, Any]] = from_json(self.body)
        for event in fields:
            event["orchestration_id"] = self.range.orchestration_id
        events = _EVENTS.validate_python(fields)
        first, last = self.range.first, self.range.last
        if not all(first <= event.index <= last for event in events):
            raise InvalidBlock(f"An event of {self.key} is of no instance of its range.")
        if self.may_tell_of([InstancesClaimed]) and not all(map(self._may_claim, events)):
            raise InvalidBlock(f"A claim in {self.key} is of instances that cannot be claimed.")
        return events

    def may_hold_later(self) -> bool:
        """Tell whether it may hold events that a later release wrote, without reading them."""
        if b'"schema_version"' in self.body:
            return True
        return any(name.decode() not in EVENT_TYPES for name in set(_TYPE.findall(self.body)))

    def read(self) -> Contents[JobEvent]:
        """Return the events that can be read, and why others cannot: one that nobody can read hides no other.

        A block of which nothing can be read is a fence and no more. So whoever appends what nobody can read
        stops neither the closing of the range nor its readers.
        """
        try:
            return Contents(self.events())
        except (TypeError, ValueError):
            return self._read_one_by_one()

    def readable_events(self) -> Sequence[JobEvent]:
        """Return the events that can be read."""
        return self.read().events

    def claim(self) -> InstancesClaimed | None:
        """Return the claim that the block is; None where it is none."""
        if not self.may_tell_of([InstancesClaimed]):
            return None
        claims = (event for event in self.readable_events() if isinstance(event, InstancesClaimed))
        return next(claims, None)

    def hedge(self) -> JobCompleted | None:
        """Return the outcome that another container than the owner's has appended; None where it is none."""
        if b'"hedged_by"' not in self.body:
            return None
        outcomes = (event for event in self.readable_events() if isinstance(event, JobCompleted))
        return next((outcome for outcome in outcomes if outcome.hedged_by is not None), None)

    def _may_claim(self, event: JobEvent) -> bool:
        """Tell whether *event* is no claim, or one of instances of the range, but not of its first."""
        if not isinstance(event, InstancesClaimed):
            return True
        return self.range.first < event.index <= event.last <= self.range.last

    def _read_one_by_one(self) -> Contents[JobEvent]:
        events: list[JobEvent] = []
        faults: list[Fault] = []
        try:
            for number, encoded in enumerate(split_array(self.body), start=1):
                try:
                    events += self._replace(body=_body([encoded])).events()
                except (TypeError, ValueError) as wrong:
                    later = find_later_event(encoded)
                    faults.append(Fault(f"event {number}: {later or explain_unreadable(wrong)}", later))
        except ValueError as wrong:
            faults.append(Fault(explain_unreadable(wrong)))
        return Contents(events, faults or [Fault("its events are no JSON array")])


def ranges_of_share(service: str, orchestration_id: str, first: int, last: int) -> Iterator[InstanceRange]:
    """Yield the ranges of the share of the instances *first* to *last*, one for each partition.

    >>> [(range.first, range.last) for range in ranges_of_share("billing", "7c0e", 200, 600)]
    [(200, 249), (250, 499), (500, 600)]
    """
    while first <= last:
        end = min(last, first - first % PARTITION_SIZE + PARTITION_SIZE - 1)
        yield InstanceRange(service, orchestration_id, first, end)
        first = end + 1


def ranges_of_orchestration(
    service: str, orchestration_id: str, total: int, share_count: int
) -> Iterator[InstanceRange]:
    """Yield the ranges of all shares of an orchestration, in the order of their instances."""
    for share in cut_shares([0] * total, total, share_count):
        yield from ranges_of_share(service, orchestration_id, share.first, share.last)


def range_from_key(key: EventKey) -> tuple[InstanceRange, int]:
    """Return the range of a block's place, and the block's number. Raises InvalidBlock."""
    try:
        service, orchestration_id, _, _ = key.partition.split("#")
        _, bounds, sequence = key.sort.split("#")
        first, last = map(int, bounds.split("-"))
        instances = InstanceRange(service, orchestration_id, first, last)
        number = int(sequence)
    except ValueError as wrong:
        raise InvalidBlock(f"{key} is no place of a block.") from wrong
    if instances.key(number) != key or last // PARTITION_SIZE != first // PARTITION_SIZE or last < first:
        raise InvalidBlock(f"{key} is no place of a block.")
    return instances, number


def cut_bodies(events: Iterable[JobEvent]) -> Iterator[bytes]:
    """Yield *events*, all of one range, as the bodies of as many blocks as they need."""
    return join_bodies(map(encode_event, events))


def encode_event(event: JobEvent) -> bytes:
    """Return *event* as it is in the body of a block."""
    return event.__pydantic_serializer__.to_json(event, exclude_none=True, exclude=_ENVELOPE)


def join_bodies(encoded: Iterable[bytes]) -> Iterator[bytes]:
    """Yield encoded events, all of one range, as the bodies of as many blocks as they need."""
    events = list(encoded)
    while events:
        body, count = fill_body(events)
        yield body
        del events[:count]


def fill_body(encoded: Sequence[bytes]) -> tuple[bytes, int]:
    """Return the body of a block with as many of some events as it takes, and how many those are."""
    size = 2
    for count, event in enumerate(encoded):
        if count and size + len(event) >= BLOCK_BYTES:
            return _body(encoded[:count]), count
        size += len(event) + 1
    return _body(encoded), len(encoded)


def pack(body: bytes) -> bytes | str:
    """Return *body* as it is stored: a short one as readable text, a long one compressed."""
    return body.decode() if len(body) <= READABLE_BYTES else zlib.compress(body, _LEVEL)


def unpack(stored: bytes | str) -> bytes:
    """Return the body that `pack` was given. Raises InvalidBlock."""
    if isinstance(stored, str):
        return stored.encode()
    decompressor = zlib.decompressobj()
    try:
        body = decompressor.decompress(stored, _MOST_BYTES)
    except zlib.error as wrong:
        raise InvalidBlock("The events of a block cannot be read.") from wrong
    if not decompressor.eof:
        raise InvalidBlock("The events of a block are cut off, or larger than any block.")
    return body


def unfinished(instances: InstanceRange, events: Iterable[JobEvent]) -> list[int]:
    """Return the indices of *instances* that have no outcome among the *events* of their range.

    Instances that were claimed are not among them: they belong to another range from then on.
    """
    others: set[int] = set()
    for event in events:
        if isinstance(event, JobCompleted | JobErrored):
            others.add(event.index)
        elif isinstance(event, InstancesClaimed):
            others.update(range(event.index, event.last + 1))
    return [index for index in range(instances.first, instances.last + 1) if index not in others]


def _body(events: Sequence[bytes]) -> bytes:
    return b"[%b]" % b",".join(events)
