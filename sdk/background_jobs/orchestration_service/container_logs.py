"""What the containers of an orchestration, or of one instance, wrote: all of it, or a page at a time."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from background_jobs.aws import clients
from background_jobs.aws.logs import Place
from background_jobs.aws.stores import Stores
from background_jobs.core import ids
from background_jobs.core.cloudwatch_links import insights_url, logs_query
from background_jobs.core.errors import InstanceNotFound, LogNotFound
from background_jobs.core.events import JobCompleted, JobErrored
from background_jobs.core.limits import LOG_CONTAINERS, LOG_PAGE, LONGEST_LOG_PAGE
from background_jobs.core.log_lines import LogLine
from background_jobs.core.views.log_parts import InstanceWindow, LogPart, window_of
from background_jobs.core.views.logs import LogPage
from background_jobs.orchestration_service.log_positions import decode_positions, encode_positions
from background_jobs.orchestration_service.log_sources import (
    READ_ALONE,
    Found,
    Position,
    find_end,
    read_parts,
)
from background_jobs.orchestration_service.steps import Pause, Steps, call, emit_each

_POLL_SECONDS: Final = 2.0
_SCANNED_LINES: Final = 50_000
"""The lines that are looked at for one page."""
_PAGE_BYTES: Final = 4 * 1024 * 1024
"""How much of the end of files the first page is looked for in, of all of them together."""
_LEAST_BYTES: Final = 64 * 1024
_MARGIN: Final = timedelta(minutes=1)
"""What the time of a query has before and after."""
_RECENT: Final = timedelta(minutes=10)
"""From how far back the first page has the lines of many streams."""


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which lines are wanted."""

    index: int | None = None
    """Those of one instance; None for all."""
    since: datetime | None = None
    """Those written then or later; what has no time counts as its container's line before it."""
    everything: bool = False
    """Whether the SDK's own lines are among them."""


@dataclass(frozen=True, slots=True)
class _Logs:
    """What there is to read at one moment."""

    parts: Sequence[LogPart]
    filter: LogFilter
    window: InstanceWindow | None = None

    def selects(self, found: Found) -> bool:
        if found.line.is_noise and not self.filter.everything:
            return False
        if self.filter.since and found.at < self.filter.since:
            return False
        return self.window is None or self.window.selects(found.line, found.at, found.part)


def follow_logs(orchestration_id: str, wanted: LogFilter, stores: Stores, *, follow: bool) -> Steps[LogLine]:
    """Emit what was written, by time; with *follow* until the end of the instance, or of the orchestration.

    Raises LogNotFound, at the end where some logs could be read.
    """
    positions: dict[str, Position] = {}
    while True:
        # The end is looked up before the logs are read, so that no line before it is missed.
        is_over = not follow or (yield from call(lambda: _is_over(orchestration_id, wanted.index, stores)))
        logs = yield from call(lambda: _find_logs(orchestration_id, wanted, stores))
        missing: list[str] = []
        found = read_parts(logs.parts, _begin(logs) | positions, missing, to_the_end=is_over)
        yield from emit_each(_select(found, logs, positions))
        if is_over:
            break
        yield Pause(_POLL_SECONDS)
    if missing:
        raise LogNotFound(missing[0])
    if not logs.parts:
        raise _nothing_to_read(wanted.index)


def read_log_page(
    orchestration_id: str, wanted: LogFilter, stores: Stores, *, next_token: str = "", limit: int = LOG_PAGE
) -> LogPage:
    """Return the last lines, or with *next_token* what was written after a page, *limit* lines at most.

    Raises OrchestrationNotFound, InstanceNotFound, InvalidToken.
    """
    logs = _find_logs(orchestration_id, wanted, stores)
    left_out = max(0, len(logs.parts) - LOG_CONTAINERS)
    logs = replace(logs, parts=logs.parts[left_out:])
    missing: list[str] = []
    if next_token:
        positions, cut = _begin(logs) | decode_positions(next_token, logs.parts), False
    else:
        positions, cut = _find_ends(logs, stores.clock() - _RECENT)
    read = read_parts(logs.parts, positions.copy(), missing, to_the_end=False)
    lines = list[LogLine]()
    selected = _select(islice(read, _SCANNED_LINES), logs, positions)
    if next_token:
        lines = list(islice(selected, limit))
    else:
        count, last = 0, deque[LogLine](maxlen=limit)
        for count, line in enumerate(selected, start=1):  # noqa: B007 -- it is looked at below
            last.append(line)
        lines, cut = list(last), cut or count > limit
    return LogPage(
        lines=lines,
        next_token=encode_positions(positions),
        more=next(read, None) is not None,
        cut=cut,
        left_out=left_out,
        missing=missing,
        cloudwatch_url=_link(orchestration_id, logs, stores.clock()),
    )


def _select(read: Iterator[Found], logs: _Logs, positions: dict[str, Position]) -> Iterator[LogLine]:
    """Yield the lines that are wanted, and note in *positions* how far was read."""
    for found in read:
        positions[found.part.key] = found.position
        if logs.selects(found):
            yield found.line


def _find_logs(orchestration_id: str, wanted: LogFilter, stores: Stores) -> _Logs:
    event_log, index = stores.event_log, wanted.index
    if index is None:
        return _Logs(event_log.read_log_parts(orchestration_id), wanted)
    total = event_log.read_started(orchestration_id).total
    if not 0 <= index < total:
        raise InstanceNotFound(orchestration_id, index, total)
    events = event_log.read_instance(orchestration_id, index).events
    ends = [event.at for event in events if isinstance(event, JobCompleted | JobErrored)]
    window = window_of(index, events, ends[0] if ends else None)
    parts = event_log.read_log_parts_of(orchestration_id, index)
    return _Logs([window.limit(part) for part in parts], wanted, window)


def _begin(logs: _Logs) -> dict[str, Position]:
    """Return from where logs are read: a stream can be read from a moment on, a file only as a whole."""
    moments = {part: max(filter(None, (part.since, logs.filter.since)), default=None) for part in logs.parts}
    return {
        part.key: Position.of_time(since) for part, since in moments.items() if since and not part.is_file
    }


def _find_ends(logs: _Logs, recently: datetime) -> tuple[dict[str, Position], bool]:
    """Return from where the last lines are looked for, and whether there may be lines before."""
    positions, cut = _begin(logs), False
    streams = sum(not part.is_file for part in logs.parts)
    most_bytes = max(_LEAST_BYTES, _PAGE_BYTES // max(1, len(logs.parts)))
    for part in logs.parts:
        if part.is_file and logs.window and not part.has_one_instance:
            continue  # it may have ended long before the file does
        if not part.is_file and streams > READ_ALONE:
            if logs.filter.since is None:
                positions[part.key], cut = Position.of_time(recently), True
            continue
        try:
            end, more = find_end(part, most_bytes, LONGEST_LOG_PAGE)
        except LogNotFound:
            continue  # whoever reads it will say so
        if end > positions.get(part.key, Position()):
            positions[part.key], cut = end, cut or more
    return positions, cut


def _is_over(orchestration_id: str, index: int | None, stores: Stores) -> bool:
    if index is None:
        return stores.read_model.read_summary(orchestration_id).all_final
    return not stores.event_log.find_unfinished(orchestration_id, index, index)


def _nothing_to_read(index: int | None) -> LogNotFound:
    if index is None:
        return LogNotFound("No container that tells where its log is has begun its share or died.")
    return LogNotFound(f"No container that tells where its log is has taken up instance {index}.")


def find_cloudwatch_url(orchestration_id: str, index: int | None, stores: Stores) -> str:
    """Return the address of the logs in CloudWatch Logs Insights; empty where they are files, or none is."""
    return _link(orchestration_id, _find_logs(orchestration_id, LogFilter(index), stores), stores.clock())


def _link(orchestration_id: str, logs: _Logs, now: datetime) -> str:
    places = [Place.parse(part.location) for part in logs.parts if not part.is_file]
    if not places:
        return ""
    index = logs.filter.index
    job_id = None if index is None else ids.job_id(orchestration_id, index)
    query = logs_query(orchestration_id, [place.stream for place in places], job_id)
    window = logs.window or InstanceWindow(-1)
    began = min((part.began_at for part in logs.parts if part.began_at), default=now)
    since, until = window.since or began, window.until or now
    groups = sorted({place.group for place in places})
    return insights_url(clients.region(), groups, query, since - _MARGIN, until + _MARGIN)
