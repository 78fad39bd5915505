"""Why a container cannot be launched for now, read from the error of AWS."""

import re
from enum import StrEnum
from typing import Final

from background_jobs.core.retry import Retry


class DelayReason(StrEnum):
    """What keeps a share from running."""

    THROTTLED = "launches are throttled"
    CAPACITY = "no capacity"
    QUOTA = "a quota is reached"
    IMAGE = "the image cannot be pulled"
    START = "the task cannot start"
    REFUSED = "the launch was refused"


MOST_DELAYS: Final = 40
"""Reports of one share before its launch is given up."""
DELAYS: Final = Retry(max_attempts=MOST_DELAYS, base_seconds=10, factor=1.5, max_seconds=240)
"""How long a share waits after each report."""

_PATTERNS: Final = (
    # AWS has reported throttling as InvalidParameterException, so the message decides, not the name.
    (DelayReason.THROTTLED, r"throttl|rate exceeded|too many requests"),
    (DelayReason.QUOTA, r"reached the limit on the number|limit exceeded|LimitExceeded|quota"),
    (DelayReason.CAPACITY, r"capacity is unavailable|RESOURCE:|capacity.?(provider|error)|insufficient"),
    (DelayReason.IMAGE, r"CannotPull|manifest unknown|pull image|ImageNotFound"),
    (DelayReason.START, r"ResourceInitializationError|TaskFailedToStart|CannotStartContainer|CannotCreate"),
)


def delay_reason(error: str) -> DelayReason:
    """Return the reason that an error of a launch names.

    >>> delay_reason("ECS.InvalidParameterException: Rate exceeded").value
    'launches are throttled'
    """
    return next(
        (reason for reason, pattern in _PATTERNS if re.search(pattern, error, re.IGNORECASE)),
        DelayReason.REFUSED,
    )
