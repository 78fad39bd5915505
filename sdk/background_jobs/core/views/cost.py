"""What an orchestration has cost so far: an estimate from its containers, at list prices."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime
from itertools import groupby
from typing import Final

from pydantic import Field, computed_field

from background_jobs.core.containers.capacity import ON_DEMAND, SPOT, is_fargate
from background_jobs.core.errors import InvalidTaskSize
from background_jobs.core.planning.costs import Bill, BilledContainer, estimate_run
from background_jobs.core.planning.fargate import TaskSize
from background_jobs.core.planning.prices import US_EAST_1, Prices
from background_jobs.core.views.containers import ContainerView
from background_jobs.core.wording import count_of

_USUAL: Final = TaskSize()


class Cost(Bill):
    """The estimated price of an orchestration up to a moment, in US dollars."""

    region: str = Field(description="Of the list prices; other regions cost up to a third more.")
    prices_as_of: date
    containers: int = Field(description="How many were launched for shares; warm workers are not in it.")
    container_seconds: float = Field(
        description="What is billed of them: with the time to start, and a minute at least for each."
    )
    sizes: list[str] = Field(description="The sizes of their tasks, in words.")
    is_final: bool = Field(description="Whether the orchestration has ended, and its containers with it.")
    is_offline: bool = Field(description="Whether nothing was paid: it is what it would cost on AWS.")

    @computed_field  # type: ignore[prop-decorator]  # pydantic's own way to put a property into the JSON
    @property
    def summary(self) -> str:
        """Return the price in words, with what it was estimated from."""
        amount = f"${self.dollars:,.2f}" if self.dollars >= 1 else f"${self.dollars:.4f}"
        would = "would cost " if self.is_offline else ""
        on_aws = " on AWS" if self.is_offline else ""
        so_far = "" if self.is_final else " so far"
        what = f" for containers of {', '.join(self.sizes)}" if self.sizes else ""
        text = (
            f"{would}about {amount}{on_aws}{so_far}, an estimate{what} "
            f"at list prices of {self.region}, {self.prices_as_of:%B %Y}"
        )
        return f"{text}, and {self.unpriced}, whose price is not known here" if self.unpriced else text


def estimate_cost_so_far(  # noqa: PLR0913 -- what is known of a run
    views: Sequence[ContainerView],
    *,
    total: int,
    completed_at: datetime | None,
    now: datetime,
    is_offline: bool,
    prices: Prices = US_EAST_1,
) -> Cost:
    """Estimate what an orchestration of *total* instances whose launches are *views* has cost until *now*.

    The processes that followed each other in one container are billed as one. A task whose size is not known
    counts as one of 0.5 vCPU and 1 GB, on arm64.
    """
    containers = list(_find_billed(views, completed_at or now))
    bill = estimate_run(total, containers, prices=prices)
    return Cost(
        lines=bill.lines,
        unpriced=bill.unpriced,
        region=prices.region,
        prices_as_of=prices.as_of,
        containers=len(containers),
        container_seconds=sum(container.billed_seconds for container in containers),
        sizes=sorted({_describe(container.size) for container in containers if container.size}),
        is_final=completed_at is not None,
        is_offline=is_offline,
    )


def _find_billed(views: Iterable[ContainerView], until: datetime) -> Iterator[BilledContainer]:
    """Yield the containers that were launched for shares."""
    own = sorted((view for view in views if not view.warm), key=lambda view: (view.share, view.launch))
    # Launches without a log are containers of their own, for nothing tells that they share one.
    for _, launches in groupby(own, key=lambda view: (view.share, view.log or view.launch)):
        ran = list(launches)
        first, last = ran[0], ran[-1]
        yield BilledContainer(
            seconds=max(0.0, ((last.ended_at or until) - first.started_at).total_seconds()),
            size=_size_of(first) if is_fargate(first.capacity_provider or ON_DEMAND) else None,
            capacity_provider=first.capacity_provider,
        )


def _size_of(view: ContainerView) -> TaskSize:
    spot = view.capacity_provider == SPOT
    with suppress(InvalidTaskSize):
        return TaskSize(
            cpu=view.cpu or _USUAL.cpu, memory_mib=view.memory_mib or _USUAL.memory_mib, spot=spot
        )
    return TaskSize(spot=spot)


def _describe(size: TaskSize) -> str:
    return f"{size.vcpus:g} vCPU and {size.gigabytes:g} GB{' on Spot' if size.spot else ''}"


def describe_lines(cost: Cost) -> Iterator[tuple[str, str, str]]:
    """Yield the service, the usage and the price of each line of *cost*, and then those of all together."""
    for line in cost.lines:
        yield line.service, line.usage, f"${line.dollars:.4f}"
    yield "All", count_of(cost.containers, "container"), f"${cost.dollars:.4f}"
