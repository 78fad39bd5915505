"""The plan of an orchestration, before its kick-off: its duration, its price and the quotas it meets."""

import math
from collections.abc import Iterable
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, computed_field, model_validator

from background_jobs.core.containers.shares import share_count
from background_jobs.core.containers.warm import MOST_WORKERS
from background_jobs.core.errors import InvalidWorkload
from background_jobs.core.limits import (
    CONCURRENCY,
    CONTAINER_SECONDS,
    INSTANCE_PARAMS_BYTES,
    PARALLELISM,
    RESULT_BYTES,
)
from background_jobs.core.planning.costs import Bill, price_footprint
from background_jobs.core.planning.fargate import (
    START_SECONDS,
    TaskSize,
    billed_seconds,
    expected_launch_seconds,
)
from background_jobs.core.planning.footprint import Run, estimate_footprint
from background_jobs.core.planning.quotas import (
    NEW_ACCOUNT_VCPUS,
    Demand,
    QuotaUse,
    headroom,
)
from background_jobs.core.planning.warm import WarmPlan, plan_warm_workers

CONTROL_SECONDS: Final = 2.0
"""From the kick-off to the first launch, and from the last outcome to the completion: docs/simulation.md."""
_TOLERANCE: Final = 1.1
"""How much slower, or more expensive, a suggestion may be than the workload as it was given."""
_SEARCH_FACTOR: Final = 4
"""Suggestions lie between a quarter and four times the parallelism that was given."""


class Workload(BaseModel):
    """What is to be kicked off. Raises InvalidWorkload, or InvalidTaskSize."""

    model_config = ConfigDict(frozen=True)

    instances: int
    seconds: float
    """How long one instance takes, on average."""
    parallelism: int
    concurrency: int = 1
    """How many instances run at once in one container."""
    size: TaskSize = TaskSize()
    params_bytes: int = 256
    """Of one instance, as JSON."""
    result_bytes: int = 256
    public_ip: bool = True
    """Whether containers have public addresses, as in subnets without NAT."""
    warm: int = 0
    """Warm workers that are kept and idle; they take the first shares."""

    @property
    def containers(self) -> int:
        """Return how many containers work, those that are warm among them."""
        return share_count(self.instances, self.parallelism, PARALLELISM)

    @property
    def launches(self) -> int:
        """Return how many of the containers are launched, for no warm worker takes their share."""
        return max(0, self.containers - self.warm)

    @property
    def share(self) -> int:
        """Return how many instances the fullest container gets."""
        return math.ceil(self.instances / self.containers)

    @property
    def share_seconds(self) -> float:
        """Return how long the fullest container works."""
        return self._seconds_of(self.share)

    def run(self) -> Run:
        """Return what is billed if nothing fails; some shares have one instance more than the others."""
        fuller = self.instances % self.containers or self.containers
        smaller = self.containers - fuller
        return Run(
            total=self.instances,
            containers=self.containers,
            container_seconds=fuller * billed_seconds(self.share_seconds)
            + smaller * billed_seconds(self._seconds_of(self.share - 1)),
            instance_seconds=self.seconds,
            concurrency=self.concurrency,
            params_bytes=self.params_bytes,
            result_bytes=self.result_bytes,
        )

    def _seconds_of(self, instances: int) -> float:
        """Return how long a container takes for so many, which run in rounds of *concurrency*."""
        return math.ceil(instances / self.concurrency) * self.seconds

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        for name, value, least, most in (
            ("instances", self.instances, 1, math.inf),
            ("seconds", self.seconds, 0, CONTAINER_SECONDS),
            ("parallelism", self.parallelism, 1, PARALLELISM),
            ("concurrency", self.concurrency, 1, CONCURRENCY),
            ("params_bytes", self.params_bytes, 2, INSTANCE_PARAMS_BYTES),
            ("result_bytes", self.result_bytes, 0, RESULT_BYTES),
            ("warm", self.warm, 0, MOST_WORKERS),
        ):
            if not least <= value <= most:
                above = f"at least {least:,}" + (f" and at most {most:,}" if most < math.inf else "")
                raise InvalidWorkload(f"{name}={value} cannot be planned; it must be {above}.")
        return self


class PlannedDuration(BaseModel):
    """How long an orchestration takes, in seconds, in parts: those that its last container goes through."""

    model_config = ConfigDict(frozen=True)

    control: float
    launch: float
    """Until the last container is launched, as far as that can be known where launches are refused first."""
    start: tuple[float, float]
    """A container's own start, at best and at worst; none where warm workers take all shares."""
    work: float
    """The fullest share, as many instances at once as the job has concurrency."""

    @computed_field  # type: ignore[prop-decorator]  # pydantic's own way to put a property into the JSON
    @property
    def seconds(self) -> float:
        """Return the sum, with the mean of the best and the worst start."""
        return self.control + self.launch + sum(self.start) / 2 + self.work

    @classmethod
    def of(cls, work: Workload) -> Self:
        """Return the duration of *work*, if no attempt fails."""
        return cls(
            control=CONTROL_SECONDS,
            launch=expected_launch_seconds(work.launches),
            start=START_SECONDS if work.launches else (0.0, 0.0),
            work=work.share_seconds,
        )


class Suggestion(BaseModel):
    """Another parallelism, with the duration and the price that it leads to."""

    model_config = ConfigDict(frozen=True)

    parallelism: int
    seconds: float
    dollars: float


class Plan(BaseModel):
    """What is to be expected of a workload; *quotas* are those of an account, fullest first."""

    model_config = ConfigDict(frozen=True)

    workload: Workload
    containers: int
    instances_a_container: int
    timing: PlannedDuration
    bill: Bill
    quotas: tuple[QuotaUse, ...]
    cheaper: Suggestion | None
    """The cheapest parallelism near the given one that is about as fast, and within every limit, if any."""
    faster: Suggestion | None
    """The fastest parallelism near the given one that costs about as much, and within every limit, if any."""
    warm: WarmPlan | None = None
    """What warm workers mean for it; None where none are planned."""


def plan(work: Workload, *, vcpu_quota: float = NEW_ACCOUNT_VCPUS) -> Plan:
    """Return the plan of *work* in an account that may run so many Fargate vCPUs at once.

    The bill is that of containers that are all launched; what warm workers cost and save is beside it.
    """
    given = _suggest(work, work.parallelism)
    others = [_suggest(work, other) for other in _parallelisms(work) if _is_possible(work, other, vcpu_quota)]
    as_fast = [other for other in others if other.seconds <= given.seconds * _TOLERANCE]
    as_cheap = [other for other in others if other.dollars <= given.dollars * _TOLERANCE]
    return Plan(
        workload=work,
        containers=work.containers,
        instances_a_container=work.share,
        timing=PlannedDuration.of(work),
        bill=_bill(work),
        quotas=headroom(_demand(work), vcpu_quota=vcpu_quota),
        cheaper=_better(given, as_fast, "dollars"),
        faster=_better(given, as_cheap, "seconds"),
        warm=_plan_warm(work) if work.warm else None,
    )


def _plan_warm(work: Workload) -> WarmPlan:
    return plan_warm_workers(
        work.warm,
        work.size,
        containers=work.containers,
        container_seconds=work.run().container_seconds,
        public_ip=work.public_ip,
    )


def _bill(work: Workload) -> Bill:
    return price_footprint(estimate_footprint(work.run()), work.size, public_ip=work.public_ip)


def _demand(work: Workload) -> Demand:
    duration = PlannedDuration.of(work)
    return Demand(
        run=work.run(),
        used=estimate_footprint(work.run()),
        size=work.size,
        share=work.share,
        share_seconds=work.share_seconds,
        seconds=duration.seconds,
        warm=work.warm,
    )


def _is_possible(work: Workload, parallelism: int, vcpu_quota: float) -> bool:
    """Tell whether *work* stays within every limit with another parallelism."""
    demand = _demand(work.model_copy(update={"parallelism": parallelism}))
    return not any(use.is_exceeded for use in headroom(demand, vcpu_quota=vcpu_quota))


def _suggest(work: Workload, parallelism: int) -> Suggestion:
    changed = work.model_copy(update={"parallelism": parallelism})
    return Suggestion(
        parallelism=parallelism, seconds=PlannedDuration.of(changed).seconds, dollars=_bill(changed).dollars
    )


def _parallelisms(work: Workload) -> Iterable[int]:
    """Return the parallelisms near the given one at which the fullest share becomes smaller."""
    least = max(1, work.containers // _SEARCH_FACTOR)
    most = min(work.containers * _SEARCH_FACTOR, work.instances, PARALLELISM)
    shares = {math.ceil(work.instances / count) for count in range(least, most + 1)}
    return sorted(math.ceil(work.instances / share) for share in shares)


def _better(given: Suggestion, others: list[Suggestion], measure: str) -> Suggestion | None:
    """Return the best of *others* by *measure*, if it is better than *given* by more than a hundredth."""
    best = min(others, key=lambda s: (getattr(s, measure), s.seconds, s.dollars), default=given)
    return best if getattr(best, measure) < 0.99 * getattr(given, measure) else None
