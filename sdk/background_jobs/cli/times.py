"""Times as people write and read them: durations like ``90``, ``10m`` or ``7d``, and points in time."""

import re
from datetime import UTC, datetime, time, timedelta
from itertools import dropwhile
from typing import Final

import typer

_SPAN: Final = re.compile(
    "".join(rf"(?:(\d{{1,12}}(?:\.\d{{1,6}})?){unit})?" for unit in ("w", "d", "h", "m", "s?"))
)
_UNITS: Final = (604_800, 86_400, 3_600, 60, 1)
"""The seconds of each of these; a number without a unit is seconds."""
_LONGEST: Final = 100 * 366 * 86_400
"""Seconds; nobody means more than a century."""


def parse_duration(text: str) -> timedelta:
    """Read a duration: seconds, or ``10m``, ``2h``, ``1h30m``, ``1.5h``, ``7d``. Raises BadParameter."""
    span = _SPAN.fullmatch(text.replace(" ", "").lower())
    amounts = span.groups(default="0") if span else ["0"] * len(_UNITS)
    seconds = sum(float(amount) * unit for amount, unit in zip(amounts, _UNITS, strict=True))
    if not 0 < seconds <= _LONGEST:
        raise typer.BadParameter(f"{text!r} is no span of time; write 90 (seconds), 10m, 2h, 1h30m or 7d.")
    return timedelta(seconds=seconds)


def parse_time(text: str) -> datetime:
    """Read a point in time: ISO 8601, a time of today, or a duration before now.

    Where no zone is named, that of this machine is meant. Raises BadParameter.
    """
    if (at := _time_of_day(text)) is not None:
        return at
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        pass
    try:
        if ":" not in text:  # else it is a time that there is not, and no span of minutes
            return datetime.now(UTC) - parse_duration(text)
    except typer.BadParameter:
        pass
    raise typer.BadParameter(
        f"{text!r} is no moment; write 2026-11-24, 2026-11-24T09:30 or 2026-11-24T09:30Z, "
        "a time of today: 12:30, or a span before now: 2h, 7d."
    )


def _time_of_day(text: str) -> datetime | None:
    """Return the moment of today at which the clocks of this machine show *text*; None if it is no time."""
    if ":" not in text:
        return None
    try:
        at = time.fromisoformat(text)
        today = datetime.now(at.tzinfo).date()
        return datetime.combine(today, at).astimezone()
    except ValueError:
        return None


def format_utc(at: datetime) -> str:
    """Return *at* in UTC, to the second, as programs read it.

    >>> format_utc(datetime(2026, 11, 24, 9, 30, tzinfo=UTC))
    '2026-11-24T09:30:00Z'
    """
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def parse_zoned_time(text: str) -> datetime:
    """Read a point in time that is the same everywhere: ISO 8601 with its zone. Raises BadParameter."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise typer.BadParameter(f"{text!r} is no moment; write 2026-11-24T03:00+01:00, or ...Z for UTC.")
    return at


def format_duration(seconds: float, *, units: int = 2) -> str:
    """Return *seconds* in their largest *units*, as `parse_duration` reads them.

    >>> format_duration(72), format_duration(200_000), format_duration(200_000, units=1)
    ('1m12s', '2d7h', '2d')
    """
    whole = max(0, round(seconds))
    parts = [(whole // 86_400, "d"), (whole // 3_600 % 24, "h"), (whole // 60 % 60, "m"), (whole % 60, "s")]
    largest = list(dropwhile(lambda part: not part[0], parts))[:units]
    return "".join(f"{count}{unit}" for count, unit in largest if count) or "0s"
