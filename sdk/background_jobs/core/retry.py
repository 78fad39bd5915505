"""The decision whether and when another attempt follows a failed one."""

from collections.abc import Iterable
from datetime import timedelta
from math import nan
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from background_jobs.core import limits
from background_jobs.core.bounds import NO_BOOL, to_seconds
from background_jobs.core.refused_values import InvalidRetry, explains_itself


def _names(value: object) -> object:
    if isinstance(value, str | type):
        value = (value,)
    if not isinstance(value, Iterable):
        return value
    return tuple(class_name(item) if isinstance(item, type) else item for item in value)


Seconds = Annotated[
    float, Field(ge=0, le=limits.DAY_SECONDS, allow_inf_nan=False), BeforeValidator(to_seconds), NO_BOOL
]
"""A span of up to a day, in seconds; a timedelta will do."""
ErrorNames = Annotated[tuple[str, ...], BeforeValidator(_names)]
"""Exceptions, given as classes or by name: ``ValueError``, ``requests.exceptions.Timeout``."""


@explains_itself(InvalidRetry)
class Retry(BaseModel):
    """How often a failed instance is tried again, and after how long.

    The wait before attempt n + 1 is ``min(max_seconds, base_seconds * factor ** (n - 1))``, and with full
    jitter a random part of it. Container losses and launch errors have budgets of their own and take
    nothing from *max_attempts*.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_attempts: Annotated[int, NO_BOOL] = Field(default=3, ge=1, le=limits.RETRY_ATTEMPTS)
    base_seconds: Seconds = 1
    factor: Annotated[float, NO_BOOL] = Field(default=2, ge=1, le=100, allow_inf_nan=False)
    max_seconds: Seconds = 300
    jitter: Literal["full", "none"] = "full"
    retry_on: ErrorNames = ("Exception",)
    """An error is tried again if it is one of these, or derived from one."""
    give_up_on: ErrorNames = ()
    """An error that is one of these, or derived from one, is never tried again."""


ONCE = Retry(max_attempts=1)
"""The Retry of a job that names none."""


class RetryAfter(Exception):
    """Raised by a job: try this instance again after *seconds*, whatever the backoff says.

    A timedelta will do, and a time in the past means at once. With a wait of more than a day, or with what is
    no wait but a time or a mistake, the instance gives up.
    """

    __module__ = "background_jobs"  # from where jobs import it, and so its name in errors
    seconds: float = nan
    """Also of a subclass that does not call this class's `__init__`; then no wait was asked for."""

    def __init__(self, seconds: float | timedelta) -> None:
        # Pickle makes an exception again from its arguments.
        super().__init__(seconds)
        span = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
        try:
            self.seconds = float(span)
        except (TypeError, ValueError, OverflowError):
            self.seconds = nan

    @property
    def wait(self) -> float | None:
        """The wait in seconds, from 0 to a day; None where *seconds* is none."""
        wait = max(self.seconds, 0.0)
        return wait if wait <= limits.DAY_SECONDS else None

    def __str__(self) -> str:
        """Say what was asked for, and what is wrong with it."""
        if self.wait is None:
            asked = self.args[0] if self.args else self.seconds
            return (
                f"RetryAfter({asked!r}): a job may ask for a wait of up to a day "
                f"({limits.DAY_SECONDS:,} s); give it the seconds from now, not a time."
            )
        return f"asked to be tried again after {self.wait:g} s"


class GiveUp(Exception):
    """Raised by a job: this instance cannot succeed, whatever the attempts left."""

    __module__ = "background_jobs"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


def retry_in(error: BaseException, failures: int, retry: Retry, *, draw: float) -> float | None:
    """Return the wait in seconds before another attempt, or None to give up.

    *error* ended the *failures*-th failed attempt (from 1). *draw* is uniform in [0, 1).

    >>> retry_in(ValueError(), 3, Retry(max_attempts=3), draw=0.5) is None
    True
    """
    # Asked of the class, because an error of a job may answer anything for its own, or raise.
    if failures >= retry.max_attempts or issubclass(type(error), GiveUp):
        return None
    if issubclass(type(error), RetryAfter):
        return cast("RetryAfter", error).wait
    names = {class_name(kind) for kind in type(error).__mro__}
    if names.isdisjoint(retry.retry_on) or not names.isdisjoint(retry.give_up_on):
        return None
    return retry_delay(failures, retry, draw=draw)


def retry_delay(attempt: int, retry: Retry, *, draw: float) -> float:
    """Return the wait in seconds after failed attempt *attempt* (counted from 1).

    *draw* is uniform in [0, 1). Raises ValueError if *attempt* is below 1.
    Source: "full jitter", Marc Brooker, AWS Architecture Blog, 2015.

    >>> retry_delay(3, Retry(base_seconds=2), draw=0.5)
    4.0
    """
    if attempt < 1:
        raise ValueError(f"Attempts count from 1, so there is no attempt {attempt}.")
    longest = min(retry.max_seconds, retry.base_seconds * retry.factor ** min(attempt - 1, 100))
    return longest * draw if retry.jitter == "full" else longest


def class_name(kind: type[Any]) -> str:
    """Return the name of a class, with its module unless it is built in.

    >>> class_name(ValueError)
    'ValueError'
    """
    # Asked of `type` itself, because a metaclass of a job may answer anything, or raise.
    name, module = (vars(type)[part].__get__(kind) for part in ("__qualname__", "__module__"))
    return str(name) if module == "builtins" else f"{module}.{name}"
