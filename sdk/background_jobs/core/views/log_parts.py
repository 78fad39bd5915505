"""Which part of which log belongs to one launch: that of a warm worker has many shares."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from background_jobs.core.containers.shares import share_of
from background_jobs.core.containers.variables import CONTAINER_NAME
from background_jobs.core.events import (
    ContainerEnded,
    ContainerStarted,
    JobCompleted,
    JobErrored,
    JobEvent,
    JobStarted,
    OrchestrationStarted,
    ShareDelayed,
)
from background_jobs.core.log_lines import LogLine

_LAST_WORDS: Final = timedelta(seconds=1)
"""For how long a process may go on writing after it said that it ends."""

_ON_ITS_WAY: Final = timedelta(milliseconds=200)
"""For how long a line may be on its way to a stream that a program wrote."""
_CUT_OFF: Final = timedelta(milliseconds=1)
"""Less of the time of a line is not written."""


class LogPart(NamedTuple):
    """Where a container wrote for one share."""

    location: str
    since: datetime | None = None
    until: datetime | None = None
    """None for the whole log, or for what is written yet."""
    share: int = 0
    began_at: datetime | None = None
    """About when its first line was written."""
    has_one_instance: bool = False

    @property
    def key(self) -> str:
        """Return what tells it from other parts, also while it grows."""
        return f"{self.location} {self.began_at}"

    @property
    def is_file(self) -> bool:
        """Return whether it is a file of the offline stack, and not a stream of CloudWatch Logs."""
        return self.location.endswith(".log")


@dataclass(frozen=True, slots=True)
class InstanceWindow:
    """When an instance ran: from the begin of its first attempt to its outcome."""

    index: int
    since: datetime | None = None
    until: datetime | None = None

    def selects(self, line: LogLine, at: datetime | None, part: LogPart) -> bool:
        """Tell whether *line*, written in *part* about *at*, belongs to the instance.

        Lines that name no instance (what programs print that a job runs, or what Python says when it
        crashes) belong to it where its container had no other, or ran it at that time. In a file that is the
        time of the line before.
        """
        if line.index is not None or part.has_one_instance:
            return line.index in {None, self.index}
        if at is None or self.since is None:
            return True
        until = self.until if part.is_file or self.until is None else self.until + _ON_ITS_WAY
        return self.since - _CUT_OFF < at and (until is None or at <= until)

    def limit(self, part: LogPart) -> LogPart:
        """Return what of *part* may have lines of the instance: it is read from then on."""
        if part.has_one_instance:
            return part
        since = self.since and self.since - _LAST_WORDS
        until = self.until and self.until + _LAST_WORDS
        return part._replace(
            since=max(filter(None, (part.since, since)), default=None),
            until=min(filter(None, (part.until, until)), default=None),
        )


def window_of(index: int, events: Sequence[JobEvent], until: datetime | None) -> InstanceWindow:
    """Return when the instance at *index* ran, by its *events*, where its outcome came at *until*."""
    starts = [event.at for event in events if isinstance(event, JobStarted)]
    starts += [
        event.started_at
        for event in events
        if isinstance(event, JobCompleted | JobErrored) and event.started_at
    ]
    return InstanceWindow(index, min(starts, default=None), until)


def is_of_service(location: str, service: str) -> bool:
    """Tell whether a log is one of *service*, whose streams begin with its name; a file is nobody else's.

    A container says where it writes, and must not lead readers to the log of another service.

    >>> is_of_service("/team/jobs/billing/job/0123abc", "billing")
    True
    """
    return location.endswith(".log") or location.split("/")[-3:-1] == [service, CONTAINER_NAME]


def find_log_parts(
    launches: Iterable[ContainerStarted],
    started: Sequence[ContainerStarted],
    ended: Sequence[ContainerEnded],
    delays: Iterable[ShareDelayed] = (),
) -> list[LogPart]:
    """Return where *launches* wrote that tell it, by what all of the orchestration *started* and *ended*.

    Containers that were lost before they began are known by the *delays* that they caused. Each log comes
    once, in the order in which the containers began.
    """
    ends = {(event.share, event.launch): event.at for event in ended}
    starts = {(event.share, event.launch): event.at for event in started}
    parts: dict[tuple[str, datetime | None], LogPart] = {}
    warm = {(event.share, event.launch): event for event in started if event.warm}
    for launch in launches:
        since = until = None
        if launch.warm:
            # Processes that followed each other in a worker wrote one after the other: that is one part.
            first, last = _find_neighbours(launch, warm)
            # A launch that lost its share says nothing of its end.
            end = ends.get((last.share, last.launch)) or starts.get((last.share, last.launch + 1))
            since, until = first.at, end and end + _LAST_WORDS
        part = LogPart(
            launch.log, since, until, launch.share, since or launch.at, launch.first == launch.last
        )
        parts.setdefault((launch.log, since), part)
    known = {location for location, _ in parts}
    for delay in delays:
        if delay.log not in known:
            # It has begun no instance, so that all that it wrote concerns each of them.
            part = LogPart(delay.log, share=delay.share, began_at=delay.at, has_one_instance=True)
            parts.setdefault((delay.log, None), part)
    return sorted((part for part in parts.values() if part.location), key=_begin)


def _find_neighbours(
    launch: ContainerStarted, warm: Mapping[tuple[int, int], ContainerStarted]
) -> tuple[ContainerStarted, ContainerStarted]:
    """Return the first and the last launch of those in a row of the same share that wrote to the same log."""
    ends = []
    for step in (-1, 1):
        end = launch
        while (other := warm.get((end.share, end.launch + step))) and other.log == launch.log:
            end = other
        ends.append(end)
    return ends[0], ends[1]


def delays_of(
    index: int, delays: Iterable[ShareDelayed], orchestration: OrchestrationStarted
) -> list[ShareDelayed]:
    """Return the *delays* of the share in which the instance at *index* began."""
    share = share_of(index, orchestration.total, orchestration.parallelism)
    return [delay for delay in delays if delay.share == share]


def _begin(part: LogPart) -> float:
    return part.began_at.timestamp() if part.began_at else 0.0
