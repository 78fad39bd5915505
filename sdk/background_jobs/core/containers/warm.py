"""Warm workers: containers of a service that stay, and take shares as they come."""

import re
from datetime import datetime, timedelta, tzinfo
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

WARM_QUEUE: Final = "BACKGROUND_JOBS_WARM_QUEUE"
"""The variable with the address of the queue of shares; a container that has no share serves this queue."""
HIDDEN_SECONDS: Final = 30
"""How long the message of a share that was received is hidden from others, unless that is prolonged."""
OFFER_SECONDS: Final = 10
"""After how many seconds without a sign of a worker a share is launched as if there were none.

It is also how long a share waits in vain where fewer workers are idle than was thought.
"""
ANOTHER_REVISION: Final = "BackgroundJobs.AnotherRevision"
"""The error of a share that a worker leaves to others, because it runs another task definition."""
SHARE_NOT_DONE: Final = "BackgroundJobs.ShareNotDone"
"""The error of a share whose container in a worker ended before the share was done."""
MOST_WORKERS: Final = 1_000
_DAYS: Final = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_TEXT: Final = re.compile(r"(\d+)(?: idle (\d+))?(?: from (\d+) to (\d+) on ([A-Z+]+) in (\S+))?")


def _zone(name: str) -> tzinfo:
    # Every container imports this module, and none asks for the hours.
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    return ZoneInfo(name)


class WarmHours(BaseModel):
    """The hours of a week in which warm workers are kept; the last ends when *end* strikes.

    Where *end* comes before *start*, they are those of the nights that begin on *days*.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: int = Field(strict=True, ge=0, le=23)
    end: int = Field(strict=True, ge=1, le=24)
    days: tuple[str, ...] = _DAYS
    """``("MON", "TUE", "WED", "THU", "FRI")``; by default, all."""
    timezone: str = "UTC"

    @field_validator("days")
    @classmethod
    def _are_days(cls, days: tuple[str, ...]) -> tuple[str, ...]:
        if not days or (unknown := [day for day in days if day not in _DAYS]):
            raise ValueError(f"{', '.join(unknown) if days else 'nothing'} is no day; use {', '.join(_DAYS)}")
        return days

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, timezone: str) -> str:
        try:
            _zone(timezone)
        except (KeyError, ValueError, OSError) as unknown:
            raise ValueError(f"there is no time zone {timezone!r}; use one as 'Europe/Berlin'") from unknown
        return timezone

    @model_validator(mode="after")
    def _has_length(self) -> Self:
        if self.end == self.start:
            raise ValueError(
                f"hours from {self.start} to {self.end} have no length; whole days are from 0 to 24"
            )
        return self

    def include(self, now: datetime) -> bool:
        """Tell whether *now*, which has a time zone, is in these hours.

        >>> from datetime import UTC
        >>> WarmHours(start=7, end=19, days=("MON",)).include(datetime(2026, 11, 23, 18, 59, tzinfo=UTC))
        True
        """
        here = now.astimezone(_zone(self.timezone))
        is_over_midnight = self.end < self.start
        begun = here - timedelta(days=1) if is_over_midnight and here.hour < self.end else here
        after, before = here.hour >= self.start, here.hour < self.end
        is_in_hours = (after or before) if is_over_midnight else (after and before)
        return is_in_hours and _DAYS[begun.weekday()] in self.days

    @property
    def a_week(self) -> int:
        """Return how many hours of a week these are."""
        return len(set(self.days)) * ((self.end - self.start) % 24 or 24)


class WarmWorkers(BaseModel):
    """How many containers of a service stay, and when; none by default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: Annotated[int, Field(strict=True, ge=0, le=MOST_WORKERS)] = 0
    idle_minutes: int | None = Field(default=None, strict=True, ge=5, le=7 * 24 * 60)
    """After how many minutes without a kick-off none is kept, until the next one; None for never."""
    hours: WarmHours | None = None
    """The hours in which they are kept, with work or without; None for all, or with *idle_minutes* none."""

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what `str` writes. Raises ValueError.

        >>> str(WarmWorkers.from_text("2 idle 30 from 7 to 19 on MON+TUE in Europe/Berlin"))
        '2 idle 30 from 7 to 19 on MON+TUE in Europe/Berlin'
        """
        if (match := _TEXT.fullmatch(text)) is None:
            raise ValueError(f"{text!r} does not say how many workers are warm")
        count, idle, start, end, days, timezone = match.groups()
        hours = start and WarmHours(start=int(start), end=int(end), days=days.split("+"), timezone=timezone)
        return cls(count=int(count), idle_minutes=int(idle) if idle else None, hours=hours or None)

    def __str__(self) -> str:
        """Return it as one text without commas, for a variable."""
        idle = "" if self.idle_minutes is None else f" idle {self.idle_minutes}"
        if (hours := self.hours) is None:
            return f"{self.count}{idle}"
        days = "+".join(hours.days)
        return f"{self.count}{idle} from {hours.start} to {hours.end} on {days} in {hours.timezone}"

    @property
    def is_constant(self) -> bool:
        """Return whether as many are kept at any time."""
        return self.idle_minutes is None and self.hours is None

    def count_at(self, now: datetime, last_kick_off: datetime | None) -> int:
        """Return how many are to be kept *now*, where the service was last used at *last_kick_off*.

        >>> WarmWorkers(count=2, idle_minutes=30).count_at(datetime(2026, 1, 1), None)
        0
        """
        if self.is_constant or (self.hours is not None and self.hours.include(now)):
            return self.count
        if self.idle_minutes is None or last_kick_off is None:
            return 0
        return self.count if now - last_kick_off < timedelta(minutes=self.idle_minutes) else 0


class Offer(BaseModel):
    """A share that a warm worker may take: the body of a message of the queue."""

    model_config = ConfigDict(frozen=True)

    token: str = Field(repr=False)
    """Under which Step Functions waits for the end of the share."""
    task_definition: str
    """The revision that the share is to run on, ``<family>:<revision>``."""
    variables: dict[str, str]
    """Those that the state machine would inject into a container."""


def warm_service(service: str, capacity_provider: str) -> str:
    """Return the name in ECS of the service that keeps the warm workers of *service*.

    Another capacity makes another name: ECS may have to replace it, and no two have one name at a time.

    >>> warm_service("billing", "FARGATE_SPOT")
    'billing-FARGATE_SPOT'
    """
    return f"{service}-{capacity_provider}"


def count_idle(running: int, offered: int, taken: int) -> int:
    """Return how many of *running* workers have neither a share that they took nor one that was offered.

    >>> count_idle(3, offered=1, taken=1), count_idle(1, offered=2, taken=0)
    (1, 0)
    """
    return max(0, running - offered - taken)
