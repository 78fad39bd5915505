"""What a planned or a finished orchestration costs, by service: counts times prices."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, computed_field

from background_jobs.core.containers.capacity import ON_DEMAND, SPOT, is_fargate
from background_jobs.core.planning.fargate import LEAST_BILLED_SECONDS, TaskSize, billed_seconds
from background_jobs.core.planning.footprint import Footprint, Run, estimate_footprint
from background_jobs.core.planning.prices import US_EAST_1, Prices

_HOUR = 3_600
_GB = 1024**3


class BillLine(BaseModel):
    """One service of a bill."""

    model_config = ConfigDict(frozen=True)

    service: str
    usage: str
    """What is paid for, in words."""
    dollars: float


class Bill(BaseModel):
    """The price of an orchestration, by service, in US dollars."""

    model_config = ConfigDict(frozen=True)

    lines: tuple[BillLine, ...]
    unpriced: str = ""
    """What is paid for besides, in words, at a price that is not known here; mostly nothing."""

    @computed_field  # type: ignore[prop-decorator]  # pydantic's own way to put a property into the JSON
    @property
    def dollars(self) -> float:
        """Return the sum."""
        return sum(line.dollars for line in self.lines)


def estimate_cost(  # noqa: PLR0913 -- what is known of a run
    *,
    total: int,
    containers: int,
    container_seconds: float,
    cpu: int = 512,
    memory_mib: int = 1024,
    arm64: bool = True,
    capacity_provider: str = ON_DEMAND,
    public_ip: bool = True,
) -> Bill:
    """Estimate what an orchestration of *total* instances has cost, from figures of its log.

    *containers* is the number of launches (ContainerStarted events of launch 0 and above, each billed a
    minute at least), *container_seconds* how long they ran, added up. *cpu* is in units of 1/1,024 vCPU.
    What containers cost on a capacity provider of one's own is not known, and not in the bill's sum. Raises
    InvalidTaskSize.
    """
    run = Run(
        total=total,
        containers=containers,
        container_seconds=max(container_seconds, containers * LEAST_BILLED_SECONDS),
        instance_seconds=container_seconds / max(1, total),
    )
    used = estimate_footprint(run)
    if not is_fargate(capacity_provider):
        hours = run.container_seconds / _HOUR
        unpriced = f"{hours:,.1f} hours of containers on {capacity_provider}"
        return Bill(lines=_around_containers(used, US_EAST_1), unpriced=unpriced)
    size = TaskSize(cpu=cpu, memory_mib=memory_mib, arm64=arm64, spot=capacity_provider == SPOT)
    return price_footprint(used, size, public_ip=public_ip)


class BilledContainer(NamedTuple):
    """A container that ran."""

    seconds: float
    """From its first event to its end."""
    size: TaskSize | None
    """None on capacity of one's own, whose price is not known."""
    capacity_provider: str = ""

    @property
    def billed_seconds(self) -> float:
        """Return what Fargate bills: its start is in it, and a minute at least."""
        return billed_seconds(self.seconds) if self.size else self.seconds


def estimate_run(total: int, containers: Sequence[BilledContainer], *, prices: Prices = US_EAST_1) -> Bill:
    """Estimate what an orchestration of *total* instances has cost whose containers are all known.

    Each is billed by its own time and size; every one on Fargate has a public address.
    """
    used = estimate_footprint(_run_of(total, containers))
    sizes: defaultdict[TaskSize, float] = defaultdict(float)
    own: defaultdict[str, float] = defaultdict(float)
    for container in containers:
        if container.size:
            sizes[container.size] += container.billed_seconds
        else:
            own[container.capacity_provider] += container.seconds
    unpriced = [f"{seconds / _HOUR:,.1f} hours of containers on {name}" for name, seconds in own.items()]
    return Bill(
        lines=(
            *(_fargate(seconds, size, prices) for size, seconds in sizes.items()),
            *([_addresses(sum(sizes.values()), prices)] if sizes else []),
            *_around_containers(used, prices),
        ),
        unpriced=" and ".join(unpriced),
    )


def _run_of(total: int, containers: Sequence[BilledContainer]) -> Run:
    worked = sum(container.seconds for container in containers)
    return Run(
        total=total,
        containers=len(containers),
        container_seconds=sum(container.billed_seconds for container in containers),
        instance_seconds=worked / max(1, total),
    )


def price_footprint(used: Footprint, size: TaskSize, *, public_ip: bool, prices: Prices = US_EAST_1) -> Bill:
    """Return the price of what was *used*, in containers of this *size*."""
    return Bill(
        lines=(
            _fargate(used.container_seconds, size, prices),
            *([_addresses(used.container_seconds, prices)] if public_ip else []),
            *_around_containers(used, prices),
        )
    )


def _around_containers(used: Footprint, prices: Prices) -> tuple[BillLine, ...]:
    return (
        _dynamodb(used, prices),
        _step_functions(used, prices),
        _lambda(used, prices),
        _s3(used, prices),
        _event_bridge(used, prices),
        _logs(used, prices),
    )


def hourly(size: TaskSize, prices: Prices = US_EAST_1) -> float:
    """Return what a container of this size costs in an hour.

    >>> round(hourly(TaskSize(cpu=1024, memory_mib=2048, arm64=False)), 5)
    0.04937
    """
    vcpu, gb = (
        (prices.fargate_arm_vcpu_hour, prices.fargate_arm_gb_hour)
        if size.arm64
        else (prices.fargate_vcpu_hour, prices.fargate_gb_hour)
    )
    full = size.vcpus * vcpu + size.gigabytes * gb
    return full * prices.fargate_spot_share if size.spot else full


def _fargate(seconds: float, size: TaskSize, prices: Prices) -> BillLine:
    hours = seconds / _HOUR
    kind = f"{size.vcpus:g} vCPU and {size.gigabytes:g} GB, {'arm64' if size.arm64 else 'x86_64'}"
    return BillLine(
        service="Fargate",
        usage=f"{hours:,.1f} hours of {kind}{', Spot' if size.spot else ''}",
        dollars=hours * hourly(size, prices),
    )


def _addresses(seconds: float, prices: Prices) -> BillLine:
    hours = seconds / _HOUR
    return BillLine(
        service="Public IPv4",
        usage=f"{hours:,.1f} hours of an address",
        dollars=hours * prices.public_ipv4_hour,
    )


def _dynamodb(used: Footprint, prices: Prices) -> BillLine:
    writes = used.log_write_units + used.model_write_units
    reads = used.log_read_units + used.model_read_units
    return BillLine(
        service="DynamoDB",
        usage=f"{writes:,.0f} units written, {reads:,.0f} read",
        dollars=writes * prices.write_unit + reads * prices.read_unit,
    )


def _step_functions(used: Footprint, prices: Prices) -> BillLine:
    return BillLine(
        service="Step Functions",
        usage=f"{used.state_transitions:,} transitions",
        dollars=used.state_transitions * prices.state_transition,
    )


def _lambda(used: Footprint, prices: Prices) -> BillLine:
    return BillLine(
        service="Lambda",
        usage=f"{used.invocations:,.0f} calls, {used.function_gb_seconds:,.0f} GB-seconds",
        dollars=used.invocations * prices.invocation + used.function_gb_seconds * prices.function_gb_second,
    )


def _s3(used: Footprint, prices: Prices) -> BillLine:
    return BillLine(
        service="S3",
        usage=f"{used.s3_puts:,} writes, {used.s3_gets:,} reads",
        dollars=used.s3_puts * prices.s3_put + used.s3_gets * prices.s3_get,
    )


def _event_bridge(used: Footprint, prices: Prices) -> BillLine:
    return BillLine(
        service="EventBridge",
        usage=f"{used.bus_events:,} event",
        dollars=used.bus_events * prices.bus_event,
    )


def _logs(used: Footprint, prices: Prices) -> BillLine:
    return BillLine(
        service="CloudWatch Logs",
        usage=f"{used.log_bytes / 1024**2:,.1f} MB",
        dollars=used.log_bytes / _GB * prices.log_gb,
    )
