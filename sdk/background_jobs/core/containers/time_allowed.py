"""How long an orchestration may take, and each of its containers."""

from datetime import datetime, timedelta
from typing import Final

from background_jobs.core.limits import CONTAINER_SECONDS

_CLOSING: Final = timedelta(hours=1)
"""So long before its params are removed an orchestration is closed, which needs them."""
_GRACE: Final = timedelta(minutes=5)
"""A container ends by itself at the orchestration's deadline; this much later a stuck one is stopped."""


def last_moment(at: datetime, deadline: datetime | None, kept: timedelta) -> datetime:
    """Return until when an orchestration may run that was kicked off *at*, and whose data is *kept* so long.

    >>> last_moment(datetime(2026, 1, 1), None, timedelta(days=2)).isoformat()
    '2026-01-02T23:00:00'
    """
    end = at + kept - _CLOSING
    return end if deadline is None else min(deadline, end)


def longest_container(left: timedelta) -> int:
    """Return after how many seconds a container is stopped where its orchestration has so much time *left*.

    >>> [longest_container(timedelta(hours=hours)) for hours in (1, 10_000)]
    [3900, 604800]
    """
    return min(CONTAINER_SECONDS, round((left + _GRACE).total_seconds()))
