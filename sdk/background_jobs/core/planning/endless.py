"""Orchestrations that cannot end: their containers would need longer than anything of them is kept."""

import math
from datetime import timedelta

from background_jobs.core.limits import DAY_SECONDS, EXECUTION_DAYS
from background_jobs.core.wording import count_of


def explain_endless(
    total: int, containers: int, expected: float, kept: timedelta, *, concurrency: int = 1
) -> str | None:
    """Return why *total* instances of *expected* seconds cannot end in so many containers; None if they can.

    Each container runs *concurrency* of them at once. A run ends with its execution at the latest, or when
    what it has *kept* is removed.

    >>> [explain_endless(100_000, count, 3_600, timedelta(days=90)) is None for count in (40, 50)]
    [False, True]
    """
    longest = min(kept, timedelta(days=EXECUTION_DAYS))
    seconds = math.ceil(total / (containers * concurrency)) * expected
    if seconds <= longest.total_seconds():
        return None
    needed = math.ceil(total / (max(1, longest.total_seconds() // expected) * concurrency))
    return (
        f"{total:,} instances of {timedelta(seconds=expected)} each, as the job expects, would keep "
        f"{count_of(containers, 'container')} busy for {seconds / DAY_SECONDS:,.0f} days, and a run has "
        f"{longest.days} at the most (retention_days, or a year). Use {needed:,} containers or more "
        "(parallelism, and max_parallelism of the environment), or several orchestrations."
    )
