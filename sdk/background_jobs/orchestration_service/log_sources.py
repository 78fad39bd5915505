"""Reading what containers wrote: files of the offline stack, or streams of CloudWatch Logs on AWS."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from heapq import merge
from itertools import groupby
from pathlib import Path
from typing import IO, Final, NamedTuple

from background_jobs.aws import clients
from background_jobs.aws.logs import Logs, Place, StreamEvent
from background_jobs.core.errors import LogNotFound
from background_jobs.core.limits import LOG_CONTAINERS
from background_jobs.core.log_lines import LogLine, parse_line, split_line
from background_jobs.core.views.log_parts import LogPart

_LONGEST_LINE: Final = 256 * 1024
"""Bytes of a line that are looked at; streams have no longer ones either."""
_READ_BYTES: Final = 64 * 1024
"""About how much of a file is read at once: many logs are open side by side."""
READ_ALONE: Final = 5
"""Up to how many streams are read one by one; more are filtered together, which AWS allows less often."""
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


class Position(NamedTuple):
    """Up to where a log was read."""

    at: int = 0
    """Bytes of a file, or milliseconds since the epoch of a stream."""
    seen: int = 0
    """How many lines of that millisecond were read, or parts of the line that begins at that byte."""

    @classmethod
    def of_time(cls, at: datetime) -> "Position":
        """Return the position in a stream before what was written *at* a moment."""
        return cls(_milliseconds(at))


class Found(NamedTuple):
    """A line, and where it was found."""

    line: LogLine
    at: datetime
    """When it was written, or the line before it."""
    part: LogPart
    position: Position
    """After it."""


Positions = Mapping[str, Position]
"""By the keys of parts, how far they were read; those that are not there are read from their beginning."""


def read_parts(
    parts: Sequence[LogPart], positions: Positions, missing: list[str], *, to_the_end: bool
) -> Iterator[Found]:
    """Yield what was written in *parts* after *positions*, by time; an unfinished line only *to_the_end*.

    The order of the lines of one container is kept. The messages of logs that are not there are added to
    *missing*.
    """
    begin = {part.key: positions.get(part.key, Position()) for part in parts}
    files = [part for part in parts if part.is_file]
    streams = [part for part in parts if not part.is_file]
    alone = [part for part in streams if part.since or len(streams) <= READ_ALONE]
    together = [part for part in streams if part not in alone]
    sources = [
        *(_read_file(part, begin[part.key], to_the_end=to_the_end) for part in files),
        *(_read_stream(part, begin[part.key]) for part in alone),
        *_read_together(together, begin),
    ]
    yield from merge(*(_tolerating(source, missing) for source in sources), key=lambda found: found.at)


def find_end(part: LogPart, most_bytes: int, most_lines: int) -> tuple[Position, bool]:
    """Return where the end of a log begins, and whether there is something before it.

    The end has *most_bytes* of a file, or *most_lines* of a stream. Raises LogNotFound.
    """
    if part.is_file:
        size = _size(Path(part.location))
        return Position(max(0, size - most_bytes)), size > most_bytes
    events = _logs().read_last(part.location, most_lines, _milliseconds(part.until) if part.until else None)
    return Position(events[0].milliseconds if events else 0), len(events) == most_lines


def read_last_lines(location: str, count: int) -> list[str]:
    """Return the last *count* lines of a log as they are. Raises LogNotFound."""
    part = LogPart(location)
    if not part.is_file:
        return [event.text for event in _logs().read_last(location, count)]
    end, _ = find_end(part, _READ_BYTES, count)
    lines = [raw for raw, _ in _raw_lines(Path(location), end.at, to_the_end=True)]
    return [_decode(raw) for raw in lines[-count:]]


def _logs() -> Logs:
    return Logs(clients.of_each_process(clients.logs))


def _tolerating(source: Iterable[Found], missing: list[str]) -> Iterator[Found]:
    try:
        yield from source
    except LogNotFound as absent:
        missing.append(str(absent))


def _read_file(part: LogPart, begin: Position, *, to_the_end: bool) -> Iterator[Found]:
    latest: datetime | None = None
    for text, position in _texts(part, begin, to_the_end=to_the_end):
        line = parse_line(text, share=part.share)
        if line.at is not None:
            latest = max(latest or line.at, line.at)
        at = latest or part.began_at or _LONG_AGO
        if part.until and at > part.until:
            return
        yield Found(line, at, part, position)


def _texts(part: LogPart, begin: Position, *, to_the_end: bool) -> Iterator[tuple[str, Position]]:
    """Yield the lines of a file after *begin*, or the parts of a line, each with the position after it."""
    at = begin.at
    for raw, end in _raw_lines(Path(part.location), begin.at, to_the_end=to_the_end):
        texts = split_line(_decode(raw))
        positions = [*(Position(at, seen) for seen in range(1, len(texts))), Position(end)]
        yield from ((text, after) for text, after in zip(texts, positions, strict=True) if after > begin)
        at = end


def _raw_lines(path: Path, begin: int, *, to_the_end: bool) -> Iterator[tuple[bytes, int]]:
    """Yield the lines of a file after byte *begin*, each with the byte at which it ends."""
    while True:
        found, end = [], begin
        with _open(path) as file:
            file.seek(begin)
            while end - begin < _READ_BYTES and (raw := file.readline(_LONGEST_LINE)):
                rest, is_whole = (0, True) if raw.endswith(b"\n") else _skip_line(file)
                if not (is_whole or to_the_end):
                    break
                end += len(raw) + rest
                note = f"… ({rest:,} bytes more)".encode() if rest > 1 else b""
                found.append((raw.removesuffix(b"\n") + note, end))
        if not found:
            return
        yield from found
        begin = end


def _skip_line(file: IO[bytes]) -> tuple[int, bool]:
    """Read on to the end of the line; return how many bytes that were, and whether it has an end."""
    skipped = 0
    while rest := file.readline(_LONGEST_LINE):
        skipped += len(rest)
        if rest.endswith(b"\n"):
            return skipped, True
    return skipped, False


def _read_stream(part: LogPart, begin: Position) -> Iterator[Found]:
    yield from _unseen(part, begin, _logs().read(part.location, begin.at or None))


def _read_together(parts: Sequence[LogPart], begin: Positions) -> Iterator[Iterator[Found]]:
    """Yield the lines of each hundred streams of a group."""
    by_group = groupby(
        sorted(parts, key=lambda part: part.location), lambda part: Place.parse(part.location).group
    )
    for group, members in by_group:
        of_group = list(members)
        for first in range(0, len(of_group), LOG_CONTAINERS):
            yield _read_group(group, of_group[first : first + LOG_CONTAINERS], begin)


def _read_group(group: str, parts: Sequence[LogPart], begin: Positions) -> Iterator[Found]:
    by_stream = {Place.parse(part.location).stream: part for part in parts}
    since = min(begin[part.key].at for part in parts)
    counts: dict[str, Position] = {}
    for event in _split(_logs().read_several(group, list(by_stream), since or None)):
        part = by_stream[event.stream]
        position = counts[event.stream] = _advance(counts.get(event.stream), event)
        if position > begin[part.key]:
            yield _found(part, event, position)


def _unseen(part: LogPart, begin: Position, events: Iterable[StreamEvent]) -> Iterator[Found]:
    position = None
    for event in _split(events):
        if part.until and event.at > part.until:
            return
        position = _advance(position, event)
        if position > begin:
            yield _found(part, event, position)


def _split(events: Iterable[StreamEvent]) -> Iterator[StreamEvent]:
    return (event._replace(text=text) for event in events for text in split_line(event.text))


def _advance(position: Position | None, event: StreamEvent) -> Position:
    seen = position.seen if position and position.at == event.milliseconds else 0
    return Position(event.milliseconds, seen + 1)


def _found(part: LogPart, event: StreamEvent, position: Position) -> Found:
    return Found(parse_line(event.text, event.at, part.share), event.at, part, position)


def _open(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise _not_there(path) from None
    except OSError as unreadable:
        raise LogNotFound(f"The log {str(path)!r} cannot be read: {unreadable.strerror}.") from None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        raise _not_there(path) from None


def _not_there(path: Path) -> LogNotFound:
    return LogNotFound(f"The log {str(path)!r} is not there: its offline stack is down, or elsewhere.")


def _decode(raw: bytes) -> str:
    return raw.decode(errors="replace").removesuffix("\r")


def _milliseconds(at: datetime) -> int:
    return max(0, int(at.timestamp() * 1000))
