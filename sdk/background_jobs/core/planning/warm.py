"""What warm workers cost and save: they are paid for by the hour, used or not."""

from typing import Final

from pydantic import BaseModel, ConfigDict

from background_jobs.core.planning.costs import hourly
from background_jobs.core.planning.fargate import TaskSize
from background_jobs.core.planning.prices import US_EAST_1, Prices

START_SECONDS: Final = 2.0
"""From the kick-off to the first instance in a warm worker; ADR 16 has its parts."""
_HOURS_A_MONTH: Final = 730


class WarmPlan(BaseModel):
    """What keeping some warm workers means for orchestrations of one kind."""

    model_config = ConfigDict(frozen=True)

    workers: int
    dollars_a_month: float
    """For keeping them at all hours."""
    shares: int
    """How many shares of an orchestration they take at once."""
    start_seconds: float
    """From the kick-off to their first instances."""
    saved_dollars: float
    """What the containers would have cost that are not launched, for each orchestration."""


def plan_warm_workers(  # noqa: PLR0913 -- what is kept, and in place of what
    workers: int,
    size: TaskSize,
    *,
    containers: int,
    container_seconds: float,
    public_ip: bool,
    prices: Prices = US_EAST_1,
) -> WarmPlan:
    """Return what *workers* of this *size* mean for an orchestration of so many *containers*.

    *container_seconds* is how long these are billed, added up.
    """
    an_hour = hourly(size, prices) + (prices.public_ipv4_hour if public_ip else 0)
    shares = min(workers, containers)
    return WarmPlan(
        workers=workers,
        dollars_a_month=workers * an_hour * _HOURS_A_MONTH,
        shares=shares,
        start_seconds=START_SECONDS,
        saved_dollars=shares * container_seconds / containers / 3_600 * an_hour,
    )
