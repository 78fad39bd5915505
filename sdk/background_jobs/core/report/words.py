"""Numbers, moments and spans of time as a report says them; moments are in UTC, and say so."""

from datetime import UTC, datetime
from typing import Final

_MINUTE: Final = 60
_HOUR: Final = 3_600
_DAY: Final = 86_400
_BRIEF: Final = 10


def count(number: int) -> str:
    """Return *number* with a comma between thousands."""
    return f"{number:,}"


def clock(at: datetime) -> str:
    """Return a moment to the second.

    >>> clock(datetime(2026, 11, 27, 5, 36, 33, tzinfo=UTC))
    '2026-11-27 05:36:33 UTC'
    """
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def span(seconds: float) -> str:
    """Return a span of time in its two largest units, as the console does.

    >>> span(0.5), span(41), span(200), span(7_500), span(90_000)
    ('0.5 s', '41 s', '3 min 20 s', '2 h 5 min', '1 d 1 h')
    """
    if seconds < _BRIEF:
        return f"{seconds:.1f} s".replace(".0 ", " ")
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    large, unit, small, part = (
        (whole // _MINUTE, "min", whole % _MINUTE, "s")
        if whole < _HOUR
        else (whole // _HOUR, "h", whole % _HOUR // _MINUTE, "min")
        if whole < _DAY
        else (whole // _DAY, "d", whole % _DAY // _HOUR, "h")
    )
    return f"{large:,} {unit} {small} {part}" if small else f"{large:,} {unit}"
