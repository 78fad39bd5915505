"""When a schedule is due: its timing, and the arithmetic of its occurrences."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Annotated, Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, model_validator

from background_jobs.core.bounds import Moment
from background_jobs.core.schedules.cron import aws_cron, croniter_expression

_MINUTE: Final = timedelta(minutes=1)
_LONGEST: Final = timedelta(days=366)
_LONGEST_EXPRESSION: Final = 256
_NO_ZONES: Final = frozenset({"localtime", "posixrules", "Factory"})
_OTHER_CLOCKS: Final = ("posix/", "right/")
"""Files beside the zones on a machine: they differ from one to the next, and Scheduler has none of them."""
_UNITS: Final = (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", _MINUTE))


def check_zone(name: str) -> str:
    """Return *name*. Raises ValueError if Scheduler has no time zone of this name."""
    try:
        ZoneInfo(name)
        is_known = name not in _NO_ZONES and not name.startswith(_OTHER_CLOCKS)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        is_known = False
    if not is_known:
        raise ValueError(f"there is no time zone {name!r}: use an IANA name such as 'Europe/Berlin'")
    return name


def _check_whole_minutes(every: timedelta) -> timedelta:
    if every % _MINUTE or not _MINUTE <= every <= _LONGEST:
        raise ValueError(f"every={every} cannot be: use whole minutes, from 1 minute to 366 days")
    return every


def _round_up(at: datetime) -> datetime:
    """Return *at* in UTC, at a whole minute: Scheduler is no more precise."""
    # In UTC first: Python calls a time that clocks repeat or skip unequal to the same moment in another zone.
    at = refuse_end_of_calendar(at).astimezone(UTC)
    minute = at.replace(second=0, microsecond=0)
    return minute if minute == at else minute + _MINUTE


def refuse_end_of_calendar(at: datetime) -> datetime:
    """Return *at*. Raises ValueError where a year around it, in which others look, is not in the calendar."""
    try:
        _ = at.astimezone(UTC) - _LONGEST, at.astimezone(UTC) + _LONGEST
    except OverflowError:
        raise ValueError(f"{at} is beyond the calendar") from None
    return at


def _check_aware(at: object) -> object:
    if isinstance(at, datetime) and at.tzinfo is None:
        raise ValueError(f"{at} needs a time zone: datetime(..., tzinfo=ZoneInfo('Europe/Berlin'))")
    return at


Minute = Annotated[Moment, BeforeValidator(_check_aware), AfterValidator(_round_up)]
"""A moment in UTC, rounded up to a whole minute."""


class Timing(BaseModel):
    """When a schedule is due: by *cron*, *every* so often, or once *at* a moment; within a window, if any."""

    model_config = ConfigDict(frozen=True)

    cron: Annotated[str, AfterValidator(aws_cron)] | None = None
    """Scheduler's six fields, in the time of *timezone*."""
    every: Annotated[timedelta, AfterValidator(_check_whole_minutes)] | None = None
    at: Minute | None = None
    timezone: Annotated[str, AfterValidator(check_zone)] = "UTC"
    start: Minute | None = None
    """The first moment that may be due; the interval *every* counts from it."""
    end: Minute | None = None
    """Nothing is due from this moment on."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if sum(way is not None for way in (self.cron, self.every, self.at)) != 1:
            raise ValueError("exactly one of cron, every and at says when a schedule is due")
        if self.timezone != "UTC" and self.cron is None:
            raise ValueError("a timezone is for cron alone: every counts hours, and at has a zone of its own")
        if self.at is not None and (self.start or self.end):
            raise ValueError("a schedule that is due once has neither start nor end")
        if self.every is not None and self.start is None:
            raise ValueError("every needs a start to count from")
        if self.start and self.end and self.start >= self.end:
            raise ValueError(f"the window is empty: it starts at {self.start}, and ends at {self.end}")
        if len(self.expression) > _LONGEST_EXPRESSION:
            raise ValueError(f"{self.expression} is too long for Scheduler: use several schedules")
        return self

    @property
    def expression(self) -> str:
        """Return the timing as Scheduler's expression.

        >>> Timing(cron="0 3 * * *").expression
        'cron(0 3 * * ? *)'
        """
        if self.at is not None:
            return f"at({self.at:%Y-%m-%dT%H:%M:%S})"
        if self.every is not None:
            name, unit = next((name, unit) for name, unit in _UNITS if not self.every % unit)
            number = self.every // unit
            return f"rate({number} {name}{'s' if number > 1 else ''})"
        return f"cron({self.cron})"

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Yield the occurrences after *moment*, in UTC, the earliest first."""
        if self.start is not None:
            moment = max(moment, self.start - _MINUTE)
        for at in self._walk(moment, +1):
            if self.end is not None and at >= self.end:
                return
            if at > moment:
                yield at

    def before(self, moment: datetime) -> Iterator[datetime]:
        """Yield the occurrences before *moment*, in UTC, the latest first."""
        if self.end is not None:
            moment = min(moment, self.end)
        for at in self._walk(moment, -1):
            if self.start is not None and at < self.start:
                return
            if at < moment:
                yield at

    @property
    def is_never_due(self) -> bool:
        """Tell whether no day is as *cron* says, such as 30 February, whatever the window.

        >>> Timing(cron="0 0 30 2 *").is_never_due, Timing(cron="0 0 29 2 *").is_never_due
        (True, False)
        """
        some_day = datetime(2000, 1, 1, tzinfo=UTC)
        walks = (self._walk(some_day, +1), self._walk(some_day, -1))
        return self.cron is not None and all(next(walk, None) is None for walk in walks)

    def _walk(self, moment: datetime, direction: int) -> Iterator[datetime]:
        """Yield the occurrences in one *direction*, from near *moment* on, whatever the window."""
        if self.at is not None:
            yield self.at
        elif self.every is not None and self.start is not None:
            nearest = (moment - self.start) // self.every
            with suppress(OverflowError):  # the calendar has two ends
                yield from (self.start + number * self.every for number in count(nearest, direction))
        elif self.cron is not None:
            yield from _cron_occurrences(self.cron, ZoneInfo(self.timezone), moment, direction)


def _cron_occurrences(cron: str, zone: ZoneInfo, moment: datetime, direction: int) -> Iterator[datetime]:
    """Yield when *cron* is due by the clocks of *zone*.

    By the rules of Scheduler, a time that the clocks skip is not due, and one that they show twice is due the
    first time only. Source: "Schedule types", EventBridge Scheduler User Guide, daylight saving time.
    """
    from croniter import CroniterBadDateError, croniter  # noqa: PLC0415 -- half of what this package imports

    local = moment.astimezone(zone).replace(tzinfo=None)
    if direction < 0:
        # The clocks may show an hour twice, so a later clock time may have come before *moment*.
        local += timedelta(days=1)
    clock = croniter(croniter_expression(cron), local, ret_type=datetime)
    step: Callable[[], datetime] = clock.get_next if direction > 0 else clock.get_prev
    while True:
        try:
            shown = step()
        except CroniterBadDateError:
            return
        at = shown.replace(tzinfo=zone).astimezone(UTC)
        if at.astimezone(zone).replace(tzinfo=None) == shown:
            yield at
