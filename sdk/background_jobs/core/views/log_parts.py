"""Which part of a log belongs to one launch: that of a warm worker has many shares, one after the other."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from background_jobs.core.events import ContainerEnded, ContainerStarted

_LAST_WORDS: Final = timedelta(seconds=1)
"""For how long a process may go on writing after it said that it ends."""


class LogPart(NamedTuple):
    """Where a launch wrote."""

    location: str
    since: datetime | None = None
    until: datetime | None = None
    """None for the whole log, or for what is written yet."""


def find_log_parts(
    launches: Iterable[ContainerStarted], started: Sequence[ContainerStarted], ended: Sequence[ContainerEnded]
) -> list[LogPart]:
    """Return where *launches* wrote that tell it, by what all of the orchestration *started* and *ended*."""
    ends = {(event.share, event.launch): event.at for event in ended}
    starts = {(event.share, event.launch): event.at for event in started}
    parts = []
    for launch in launches:
        if not launch.warm:
            parts.append(LogPart(launch.log))
            continue
        # A launch that lost its share says nothing of its end.
        end = ends.get((launch.share, launch.launch)) or starts.get((launch.share, launch.launch + 1))
        parts.append(LogPart(launch.log, launch.at, end and end + _LAST_WORDS))
    return [part for part in parts if part.location]
