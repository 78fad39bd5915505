"""Times as people write and read them: durations like ``90``, ``10m`` or ``7d``, and points in time."""

from datetime import UTC, datetime, timedelta
from itertools import dropwhile
from typing import Final

import typer

_LONGEST: Final = 100 * 366 * 86_400
"""Seconds; nobody means more than a century."""


def parse_duration(text: str) -> timedelta:
    """Read a duration: seconds, or ``10m``, ``2h``, ``1h30m``, ``7d``. Raises BadParameter."""
    import pytimeparse2

    seconds = pytimeparse2.parse(text)
    if not isinstance(seconds, int | float) or not 0 < seconds <= _LONGEST:
        raise typer.BadParameter(f"{text!r} is no span of time; write 90 (seconds), 10m, 2h, 1h30m or 7d.")
    return timedelta(seconds=seconds)


def parse_time(text: str) -> datetime:
    """Read a point in time: ISO 8601, in local time if it names no zone, or a duration before now.

    Raises BadParameter.
    """
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        pass
    try:
        return datetime.now(UTC) - parse_duration(text)
    except typer.BadParameter:
        raise typer.BadParameter(
            f"{text!r} is no moment; write 2026-11-24, 2026-11-24T09:30 or 2026-11-24T09:30Z, "
            "or a span before now: 2h, 7d."
        ) from None


def parse_zoned_time(text: str) -> datetime:
    """Read a point in time that is the same everywhere: ISO 8601 with its zone. Raises BadParameter."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise typer.BadParameter(f"{text!r} is no moment; write 2026-11-24T03:00+01:00, or ...Z for UTC.")
    return time


def format_duration(seconds: float, *, units: int = 2) -> str:
    """Return *seconds* in their largest *units*, as `parse_duration` reads them.

    >>> format_duration(72), format_duration(200_000), format_duration(200_000, units=1)
    ('1m12s', '2d7h', '2d')
    """
    whole = max(0, round(seconds))
    parts = [(whole // 86_400, "d"), (whole // 3_600 % 24, "h"), (whole // 60 % 60, "m"), (whole % 60, "s")]
    largest = list(dropwhile(lambda part: not part[0], parts))[:units]
    return "".join(f"{count}{unit}" for count, unit in largest if count) or "0s"
