"""Cron as EventBridge Scheduler writes it: six fields, made of the five that everybody else writes, too."""

import re
from typing import Final, NamedTuple


class _Field(NamedTuple):
    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()
    """Names of its values, from *low* on."""

    def number(self, text: str) -> int:
        if text in self.words:
            return self.low + self.words.index(text)
        if not text.isascii() or not text.isdigit() or not self.low <= int(text) <= self.high:
            words = f", or {self.words[0]}-{self.words[-1]}" if self.words else ""
            raise ValueError(f"{text!r} is no {self.name}: use {self.low}-{self.high}{words}")
        return int(text)


_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_DAY: Final = _Field("day of the month", 1, 31)
_WEEKDAY: Final = _Field("weekday", 1, 7, _DAYS)
_UNIX_WEEKDAY: Final = _Field("weekday", 0, 7, _DAYS)
# Scheduler knows years up to 2199; the library that computes occurrences, up to 2099.
_YEAR: Final = _Field("year", 1970, 2099)
_FIELDS: Final = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _DAY,
    _Field("month", 1, 12, _MONTHS),
    _WEEKDAY,
    _YEAR,
)
_UNIX: Final = 5
_SHORTEST_MONTH: Final = 28


def aws_cron(expression: str) -> str:
    """Return *expression* in Scheduler's six fields: minute, hour, day, month, weekday, year.

    Five fields are read as Unix does (weekdays from SUN=0 to 6, and 7 is SUN again), six as Scheduler does
    (from SUN=1 to 7; ``?``, ``L``, ``W`` and ``#``). Raises ValueError, which says what is wrong.

    >>> aws_cron("*/15 8-18 * * 1-5"), aws_cron("0 3 ? * 6L *")
    ('0/15 8-18 ? * MON-FRI *', '0 3 ? * 6L *')
    """
    fields = expression.upper().split()
    if len(fields) == _UNIX:
        fields = _of_unix(fields)
    elif len(fields) != len(_FIELDS):
        raise ValueError(
            f"a cron expression has 5 fields, or 6 with the year; {expression!r} has {len(fields)}"
        )
    if (fields[2] == "?") == (fields[4] == "?"):
        raise ValueError("of the two day fields, exactly one must be '?'")
    return " ".join(_checked(text, field) for text, field in zip(fields, _FIELDS, strict=True))


def croniter_expression(cron: str) -> str:
    """Return six fields of Scheduler as croniter writes them, with seconds and year at the end.

    >>> croniter_expression("0 3 ? * 6#2 2026-2028")
    '0 3 * * 5#2 0 2026-2028'
    """
    minute, hour, day, month, weekday, year = cron.split()
    return f"{minute} {hour} {day.replace('?', '*')} {month} {_croniter_weekday(weekday)} 0 {year}"


def _of_unix(fields: list[str]) -> list[str]:
    minute, hour, day, month, weekday = fields
    if special := re.search(r"[?LW#]", re.sub("|".join(_DAYS + _MONTHS), "", " ".join(fields))):
        raise ValueError(f"{special[0]!r} is Scheduler's own: write all of its 6 fields to use it")
    if weekday == "*":
        return [minute, hour, day, month, "?", "*"]
    weekdays = ",".join(map(_of_unix_weekdays, weekday.split(",")))
    if _checked(day, _DAY) != "*":
        raise ValueError(
            "Scheduler cannot say 'this day of the month, or that weekday': make a schedule for each of them"
        )
    return [minute, hour, "?", month, weekdays, "*"]


def _of_unix_weekdays(item: str) -> str:
    """Return weekdays by name; a range that passes the end of the week, or a step, is written out."""
    span, _, step = item.partition("/")
    first, _, last = ("0-6" if span == "*" else span).partition("-")
    low = _UNIX_WEEKDAY.number(first)
    high = _UNIX_WEEKDAY.number(last) if last else 6 if step else low
    high += 7 if high < low else 0
    days = [_DAYS[day % 7] for day in range(low, high + 1, _step(step or "1", _UNIX_WEEKDAY))]
    is_range = not step and len(days) > 1 and high < 7  # noqa: PLR2004 -- days of a week
    return f"{days[0]}-{days[-1]}" if is_range else ",".join(dict.fromkeys(days))


def _checked(text: str, field: _Field) -> str:
    special = _day(text) if field == _DAY else _weekday(text) if field == _WEEKDAY else None
    if text == "*" or special:
        return special or text
    return ",".join(_checked_item(item, field) for item in text.split(","))


def _day(text: str) -> str | None:
    """Return what only a day of the month can be, such as ``15W``; None if it is as in other fields."""
    if text.endswith("W") and _DAY.number(text[:-1]) > _SHORTEST_MONTH:
        raise ValueError(f"nobody says what {text} is in a month without that day: use 1W-28W, or L")
    return text if text in ("?", "L") or text.endswith("W") else None


def _weekday(text: str) -> str | None:
    """Return what only a weekday can be, such as ``6L`` or ``2#1``; None if it is as in other fields."""
    if text in ("?", "L"):
        return text
    if text.endswith("L"):
        return f"{_WEEKDAY.number(text[:-1])}L"
    day, hash_, week = text.partition("#")
    if hash_ and week not in set("12345"):
        raise ValueError(f"{text!r} is no weekday: the weeks of a month are #1 to #5")
    return f"{_WEEKDAY.number(day)}#{week}" if hash_ else None


def _checked_item(item: str, field: _Field) -> str:
    span, slash, step = item.partition("/")
    if slash and field == _WEEKDAY:
        raise ValueError(f"Scheduler has no steps of weekdays, such as {item!r}; name the days")
    first, dash, last = span.partition("-")
    low = field.low if span == "*" and slash else field.number(first)
    high = field.number(last) if dash else low
    if high < low:
        raise ValueError(f"the {field.name} range {span!r} runs backwards: write it as two")
    if not slash:
        # The library would take a range of one for all.
        return item if high > low else first
    if dash:
        # Scheduler documents steps from a value on only, so that those within a range are written out.
        return ",".join(map(str, range(low, high + 1, _step(step, field))))
    return f"{low}/{_step(step, field)}"


def _step(text: str, field: _Field) -> int:
    longest = field.high - field.low
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= longest:
        raise ValueError(f"{text!r} is no step of the {field.name}: use 1-{longest}")
    return int(text)


def _croniter_weekday(text: str) -> str:
    if text in ("?", "*"):
        return "*"
    if text == "L":
        return _from_0("SAT")
    if text.endswith("L"):
        return f"L{_from_0(text[:-1])}"
    day, hash_, week = text.partition("#")
    if hash_:
        return f"{_from_0(day)}#{week}"
    return ",".join("-".join(map(_from_0, item.split("-"))) for item in text.split(","))


def _from_0(weekday: str) -> str:
    """Return a weekday as a number from SUN=0 on."""
    return str(_WEEKDAY.number(weekday) - 1)
