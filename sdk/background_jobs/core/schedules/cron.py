"""Cron in the six fields of EventBridge Scheduler, also translated from the five fields of Unix."""

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
        fields = _translate_unix(fields)
    elif len(fields) != len(_FIELDS):
        raise ValueError(
            f"a cron expression has 5 fields, or 6 with the year; {expression!r} has {len(fields)}"
        )
    if (fields[2] == "?") == (fields[4] == "?"):
        raise ValueError("of the two day fields, exactly one must be '?'")
    return " ".join(_check_field(text, field) for text, field in zip(fields, _FIELDS, strict=True))


def croniter_expression(cron: str) -> str:
    """Return six fields of Scheduler as croniter writes them, with seconds and year at the end.

    >>> croniter_expression("0 3 ? * 6#2 2026-2028")
    '0 3 * * 5#2 0 2026-2028'
    """
    minute, hour, day, month, weekday, year = cron.split()
    return f"{minute} {hour} {day.replace('?', '*')} {month} {_croniter_weekday(weekday)} 0 {year}"


def _translate_unix(fields: list[str]) -> list[str]:
    minute, hour, day, month, weekday = fields
    if special := re.search(r"[?LW#]", re.sub("|".join(_DAYS + _MONTHS), "", " ".join(fields))):
        raise ValueError(f"{special[0]!r} is Scheduler's own: write all of its 6 fields to use it")
    if weekday == "*":
        return [minute, hour, day, month, "?", "*"]
    weekdays = ",".join(map(_translate_weekdays, weekday.split(",")))
    if _check_field(day, _DAY) != "*":
        raise ValueError(
            "Scheduler cannot say 'this day of the month, or that weekday': make a schedule for each of them"
        )
    return [minute, hour, "?", month, weekdays, "*"]


def _translate_weekdays(item: str) -> str:
    """Return weekdays by name; a range over the end of the week, and a step, become single days."""
    span, _, step = item.partition("/")
    first, _, last = ("0-6" if span == "*" else span).partition("-")
    low = _UNIX_WEEKDAY.number(first)
    high = _UNIX_WEEKDAY.number(last) if last else 6 if step else low
    high += 7 if high < low else 0
    days = [_DAYS[day % 7] for day in range(low, high + 1, _step(step or "1", _UNIX_WEEKDAY))]
    is_range = not step and len(days) > 1 and high < 7  # noqa: PLR2004 -- days of a week
    return f"{days[0]}-{days[-1]}" if is_range else ",".join(dict.fromkeys(days))


def _check_field(text: str, field: _Field) -> str:
    special = _special_day(text) if field == _DAY else _special_weekday(text) if field == _WEEKDAY else None
    if text == "*" or special:
        return special or text
    return ",".join(_check_item(item, field) for item in text.split(","))


def _special_day(text: str) -> str | None:
    """Return *text* if only a day of the month can be like that, such as ``15W``; None for anything else."""
    if text.endswith("W") and _DAY.number(text[:-1]) > _SHORTEST_MONTH:
        raise ValueError(f"nobody says what {text} is in a month without that day: use 1W-28W, or L")
    return text if text in ("?", "L") or text.endswith("W") else None


def _special_weekday(text: str) -> str | None:
    """Return *text* if only a weekday can be like that, such as ``6L`` or ``2#1``; None for anything else."""
    if text in ("?", "L"):
        return text
    if text.endswith("L"):
        return f"{_WEEKDAY.number(text[:-1])}L"
    day, hash_, week = text.partition("#")
    if hash_ and week not in set("12345"):
        raise ValueError(f"{text!r} is no weekday: the weeks of a month are #1 to #5")
    return f"{_WEEKDAY.number(day)}#{week}" if hash_ else None


def _check_item(item: str, field: _Field) -> str:
    span, slash, step = item.partition("/")
    if slash and field == _WEEKDAY:
        raise ValueError(f"Scheduler has no steps of weekdays, such as {item!r}; name the days")
    first, dash, last = span.partition("-")
    low = field.low if span == "*" and slash else field.number(first)
    high = field.number(last) if dash else low
    if high < low:
        raise ValueError(f"the {field.name} range {span!r} runs backwards: write it as two")
    if not slash:
        # The library reads a range of one value as all values.
        return item if high > low else first
    if dash:
        # Scheduler documents steps only from a value on, so steps within a range are written out.
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
        return _count_from_0("SAT")
    if text.endswith("L"):
        return f"L{_count_from_0(text[:-1])}"
    day, hash_, week = text.partition("#")
    if hash_:
        return f"{_count_from_0(day)}#{week}"
    return ",".join("-".join(map(_count_from_0, item.split("-"))) for item in text.split(","))


def _count_from_0(weekday: str) -> str:
    """Return a weekday as a number from SUN=0 on."""
    return str(_WEEKDAY.number(weekday) - 1)
