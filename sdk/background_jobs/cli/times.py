"""Times as people write and read them: spans like ``90``, ``10m`` or ``7d``, and moments."""

from datetime import UTC, datetime, timedelta
from itertools import dropwhile
from typing import Final

import typer

_LONGEST: Final = 100 * 366 * 86_400
"""Seconds; nobody means more than a century."""


def span(text: str) -> timedelta:
    """Read a span: seconds, or ``10m``, ``2h``, ``1h30m``, ``7d``. Raises BadParameter."""
    import pytimeparse2

    seconds = pytimeparse2.parse(text)
    if not isinstance(seconds, int | float) or not 0 < seconds <= _LONGEST:
        raise typer.BadParameter(f"{text!r} is no span of time; write 90 (seconds), 10m, 2h, 1h30m or 7d.")
    return timedelta(seconds=seconds)


def moment(text: str) -> datetime:
    """Read a moment: ISO 8601, in local time where it names no zone, or a span before now.

    Raises BadParameter.
    """
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        pass
    try:
        return datetime.now(UTC) - span(text)
    except typer.BadParameter:
        raise typer.BadParameter(
            f"{text!r} is no moment; write 2026-11-24, 2026-11-24T09:30 or 2026-11-24T09:30Z, "
            "or a span before now: 2h, 7d."
        ) from None


def parse_zoned_time(text: str) -> datetime:
    """Read a moment that is the same for everybody: ISO 8601 with its zone. Raises BadParameter."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        read = None
    if read is None or read.tzinfo is None:
        raise typer.BadParameter(f"{text!r} is no moment; write 2026-11-24T03:00+01:00, or ...Z for UTC.")
    return read


def told(seconds: float, *, units: int = 2) -> str:
    """Return a span in its largest *units*, as `span` reads it.

    >>> told(72), told(3600), told(200_000), told(200_000, units=1)
    ('1m12s', '1h', '2d7h', '2d')
    """
    whole = max(0, round(seconds))
    parts = [(whole // 86_400, "d"), (whole // 3_600 % 24, "h"), (whole // 60 % 60, "m"), (whole % 60, "s")]
    largest = list(dropwhile(lambda part: not part[0], parts))[:units]
    return "".join(f"{count}{unit}" for count, unit in largest if count) or "0s"
