"""How far the owner of a range is, as its blocks tell others."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from statistics import fmean
from typing import NamedTuple, Self

from background_jobs.core.blocks import Block, InstanceRange
from background_jobs.core.events import (
    InstancesClaimed,
    JobAttemptFailed,
    JobCompleted,
    JobErrored,
    JobEvent,
    JobStarted,
)
from background_jobs.core.limits import APPEND_SECONDS


class RangeProgress(NamedTuple):
    """What has happened in a range, given the blocks that somebody knows."""

    range: InstanceRange
    sequence: int
    """The number of the next block."""
    claims: Sequence[InstancesClaimed]
    reached: int
    """The last instance that has an event; one less than the first where none has."""
    running: Mapping[int, JobStarted]
    """The attempts that began and have not ended, by instance."""
    seconds: Sequence[float]
    """How long the last attempts of those took that have ended."""
    is_readable: bool
    lost: AbstractSet[int] = frozenset()
    """The instances that were interrupted, or whose process has ended while they ran."""
    since: datetime | None = None
    """When the range was claimed; None where it is of the share to begin with."""

    @classmethod
    def of(cls, instances: InstanceRange, blocks: Sequence[Block], since: datetime | None = None) -> Self:
        """Return what *blocks* tell, which are of the range, in order and without gaps."""
        contents = [block.read() for block in blocks]
        events = [event for content in contents for event in content.events]
        claims = [event for event in events if isinstance(event, InstancesClaimed)]
        begun = (event.index for event in events if not isinstance(event, InstancesClaimed))
        return cls(
            instances,
            len(blocks),
            claims,
            max(begun, default=instances.first - 1),
            _running(events),
            [
                (event.at - event.started_at).total_seconds()
                for event in events
                if isinstance(event, JobCompleted | JobErrored) and event.started_at
            ],
            not any(content.faults for content in contents),
            _lost(events),
            since,
        )

    @property
    def last(self) -> int:
        """Return the last instance that nobody has claimed."""
        return min((claim.index - 1 for claim in self.claims), default=self.range.last)

    @property
    def has_begun(self) -> bool:
        """Tell whether an instance has an event."""
        return self.reached >= self.range.first

    @property
    def unbegun(self) -> int:
        """Return how many instances at the end of what is left have no event."""
        return self.last - self.reached

    @property
    def is_open(self) -> bool:
        """Tell whether something runs, or has not begun."""
        return self.unbegun > 0 or bool(self.running)

    def seconds_busy(self, now: datetime) -> float:
        """Return how long the owner is likely to be busy with what has begun.

        That is as long as it has been already: instances that take long are likely to take long still. Where
        several run at once, what they do together is the work of one.
        """
        begun = [start.at for start in self.running.values()]
        if not begun and not self.has_begun and self.since:
            begun = [self.since]  # its owner claimed it to run it at once
        return len(begun) * max(0.0, (now - max(begun)).total_seconds()) if begun else 0.0

    def typical(self, mean: float) -> float:
        """Return how many seconds instances took here that have ended; *mean* where none has."""
        return fmean(self.seconds) if self.seconds else mean

    def expect(self, now: datetime, mean: float) -> float:
        """Return how many seconds those take that are left, also judging by what runs now."""
        running = [(now - start.at).total_seconds() for start in self.running.values()]
        long = [seconds for seconds in running if seconds > APPEND_SECONDS]
        told = [*self.seconds, *long]
        return fmean(told) if told else mean


def _running(events: Iterable[JobEvent]) -> dict[int, JobStarted]:
    running: dict[int, JobStarted] = {}
    for event in events:
        if isinstance(event, JobStarted):
            running[event.index] = event
        elif isinstance(event, JobAttemptFailed | JobCompleted | JobErrored):
            running.pop(event.index, None)
    return running


def _lost(events: Iterable[JobEvent]) -> set[int]:
    lost: set[int] = set()
    running: set[int] = set()
    for event in events:
        if isinstance(event, JobStarted):
            lost |= {event.index} & running
            running.add(event.index)
        elif isinstance(event, JobAttemptFailed):
            lost |= set() if event.counts else {event.index}
            running.discard(event.index)
    return lost
