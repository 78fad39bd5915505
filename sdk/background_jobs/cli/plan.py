"""`background-jobs plan`: what an orchestration takes and costs, before it is kicked off."""

from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from background_jobs.cli.arguments import AsJson
from background_jobs.cli.reporting import on_terminal, print_fields, print_json, print_line, reporting
from background_jobs.core.wording import count_of

if TYPE_CHECKING:
    from background_jobs.core.planning.plan import Plan, PlannedDuration
    from background_jobs.core.planning.quotas import QuotaUse


class Architecture(StrEnum):
    """The processors that Fargate offers."""

    ARM64 = "arm64"
    X86_64 = "x86_64"


def plan(  # noqa: PLR0913, PLR0917 -- its options are keywords
    instances: Annotated[int, typer.Option(metavar="N", help="How many params objects there are.")],
    seconds: Annotated[float, typer.Option(metavar="N", help="How long one instance takes, on average.")],
    parallelism: Annotated[int, typer.Option(metavar="N", help="Containers at once.")] = 100,
    concurrency: Annotated[int, typer.Option(metavar="N", help="Instances at once in one container.")] = 1,
    cpu: Annotated[
        int, typer.Option(metavar="N", help="CPU units of a container; 1,024 are one vCPU.")
    ] = 512,
    memory: Annotated[int, typer.Option(metavar="N", help="Memory of a container, in MiB.")] = 1024,
    arch: Annotated[Architecture, typer.Option(help="The processor.")] = Architecture.ARM64,
    spot: Annotated[bool, typer.Option("--spot", help="Use Fargate Spot.")] = False,
    params_bytes: Annotated[
        int, typer.Option(metavar="N", help="The size of one params object, as JSON.")
    ] = 256,
    result_bytes: Annotated[int, typer.Option(metavar="N", help="The size of one result, as JSON.")] = 256,
    public_ip: Annotated[bool, typer.Option(help="Whether containers have public addresses.")] = True,
    vcpu_quota: Annotated[
        float | None,
        typer.Option(
            min=0.25, metavar="N", help="Your account's quota of Fargate vCPUs; by default that of a new one."
        ),
    ] = None,
    warm: Annotated[int, typer.Option(metavar="N", help="Warm workers that are kept for the service.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Tell how long an orchestration takes, what it costs, and which limits of AWS it comes near."""
    with reporting():
        from background_jobs.core.planning import plan as core
        from background_jobs.core.planning.fargate import TaskSize
        from background_jobs.core.planning.quotas import NEW_ACCOUNT_VCPUS

        estimate = core.plan(
            core.Workload(
                instances=instances,
                seconds=seconds,
                parallelism=parallelism,
                concurrency=concurrency,
                size=TaskSize(cpu=cpu, memory_mib=memory, arm64=arch is Architecture.ARM64, spot=spot),
                params_bytes=params_bytes,
                result_bytes=result_bytes,
                public_ip=public_ip,
                warm=warm,
            ),
            vcpu_quota=NEW_ACCOUNT_VCPUS if vcpu_quota is None else vcpu_quota,
        )
    if as_json:
        print_json(estimate)
    elif not on_terminal():
        print_fields(estimate)
    else:
        print_line(_describe_plan(estimate))


_AT_ONCE: Final = "beyond 20 at once, some are refused first"


def _describe_plan(estimate: "Plan") -> str:
    from background_jobs.core.planning.prices import US_EAST_1

    work, timing, dollars = estimate.workload, estimate.timing, estimate.bill.dollars
    share = estimate.instances_a_container
    return "\n".join(
        [
            f"{count_of(work.instances, 'instance')} of {work.seconds:g} s "
            f"in {count_of(estimate.containers, 'container')}"
            + (f", {work.concurrency:,} at once in each" if work.concurrency > 1 else ""),
            "",
            f"Time      {_duration(timing.seconds)}",
            *_starts(timing, work.launches),
            f"  work        {_duration(timing.work)} for the fullest share of {share:,}",
            f"  the rest    {_duration(timing.control)} of kick-off and completion",
            "",
            f"Price     {_price(dollars)}, {_price(1000 * dollars / work.instances)} per 1,000 instances",
            *(f"  {_price(line.dollars):>9}  {line.service:<16}{line.usage}" for line in estimate.bill.lines),
            f"  List prices of {US_EAST_1.region}, {US_EAST_1.as_of:%B %Y}; no free tier, nothing fails.",
            *_warm_workers(estimate),
            "",
            "Limits of AWS",
            *map(_limit, estimate.quotas),
            *_suggestions(estimate),
        ]
    )


def _starts(timing: "PlannedDuration", launches: int) -> list[str]:
    if not launches:
        return ["  launch      none, for warm workers take all shares"]
    return [
        f"  launch      {_duration(timing.launch)} until the last of the containers; {_AT_ONCE}",
        f"  start       {timing.start[0]:g} to {timing.start[1]:g} s for each container that is launched",
    ]


def _warm_workers(estimate: "Plan") -> list[str]:
    if (warm := estimate.warm) is None:
        return []
    begin = f"about {warm.start_seconds:g} s after the kick-off in place of {_cold_start():g} s"
    shares = count_of(estimate.containers, "share")
    lines = [
        "",
        f"Warm      {_price(warm.dollars_a_month)} a month for {warm.workers:,} at all hours, used or not",
        f"  start       {begin}, for {warm.shares:,} of {shares}",
        f"  saved       {_price(warm.saved_dollars)} of the price above, for what is not launched",
    ]
    if idle := warm.workers - warm.shares:
        more = "use more parallelism, or " if estimate.workload.instances > estimate.containers else ""
        lines.append(f"  idle        {idle:,} of the {warm.workers:,} have no share; {more}keep fewer")
    return lines


def _cold_start() -> float:
    from background_jobs.core.planning.fargate import START_SECONDS
    from background_jobs.core.planning.plan import CONTROL_SECONDS

    return CONTROL_SECONDS + sum(START_SECONDS) / 2


def _limit(use: "QuotaUse") -> str:
    part = f"{100 * use.used / use.limit:,.0f} %"
    line = f"{'!' if use.warns else ' '} {part:>7}  {use.name}: {use.used:,.0f} of {use.limit:,.0f}"
    return f"{line}\n{'':11}{use.advice}" if use.warns and use.advice else line


def _suggestions(estimate: "Plan") -> list[str]:
    suggestions = [("cheaper, about as fast", estimate.cheaper), ("faster, about as cheap", estimate.faster)]
    if estimate.cheaper == estimate.faster:
        suggestions = [("faster and cheaper", estimate.cheaper)]
    lines = [
        f"  --parallelism {way.parallelism} is {label}: {_duration(way.seconds)}, {_price(way.dollars)}"
        for label, way in suggestions
        if way is not None
    ]
    return ["", "Better", *lines] if lines else []


def _duration(seconds: float) -> str:
    """Return *seconds* as ``h:mm:ss``, with days where there are any."""
    return f"{timedelta(seconds=round(seconds))}"


def _price(dollars: float) -> str:
    return f"${dollars:,.2f}" if dollars >= 1 else f"${dollars:.4f}"
