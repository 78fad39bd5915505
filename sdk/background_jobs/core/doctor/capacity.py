"""Whether the quotas of the account let an environment use what it may ask for."""

from collections.abc import Iterator, Mapping
from typing import Final

from background_jobs.core.containers.advice import VCPU_QUOTAS, Quota
from background_jobs.core.doctor.findings import Area, Finding, ok, problem, warning

CONCURRENT_EXECUTIONS: Final = Quota("Concurrent executions", "L-B99A9384")
LEAST_UNRESERVED: Final = 100
"""What Lambda lets nobody reserve; an account that has less is a new one.

Source: AWS Lambda Developer Guide, "Configuring reserved concurrency".
"""


def judge_vcpus(
    services: Mapping[str, float], limit: float, max_parallelism: int, *, spot: bool
) -> Iterator[Finding]:
    """Judge the quota of vCPUs, on demand or *spot*, for *services* by the vCPUs of a container."""
    quota, short = VCPU_QUOTAS[spot], False
    for service, vcpus in services.items():
        possible, wanted = int(limit // vcpus), max_parallelism * vcpus
        if possible >= max_parallelism:
            continue
        short = True
        judge = warning if possible else problem
        yield judge(
            Area.QUOTAS,
            f"{service}: {possible:,} containers of {vcpus:g} vCPU fit into the quota of {limit:g} at once, "
            f"and an orchestration may ask for {max_parallelism:,}; "
            f"{'the others wait for them' if possible else 'none can start'}.",
            f"Have the quota {quota} raised to {wanted:g} or more in Service Quotas, or "
            f"{_advise_less(possible)}",
        )
    if not short:
        yield ok(
            Area.QUOTAS,
            f"{quota}: {limit:g}, enough for an orchestration of {max_parallelism:,} containers.",
        )


def _advise_less(possible: int) -> str:
    if not possible:
        return "give the containers less CPU."
    return (
        f"set max_parallelism of the environment to {possible:,} and deploy: launches that are refused are "
        "tried again, and cost more than the work where many wait for long."
    )


def judge_concurrency(limit: int, unreserved: int) -> Finding:
    """Judge how many functions may run at once: in the account, and without a reservation."""
    if unreserved == limit >= 2 * LEAST_UNRESERVED:
        return warning(
            Area.QUOTAS,
            f"Nothing limits the streams that are watched: they may take all {limit:,} concurrent executions "
            "of Lambda, and the functions that follow the event log then wait.",
            "Set api_concurrency of the environment, to 100 for example, and deploy.",
        )
    if unreserved >= LEAST_UNRESERVED:
        return ok(Area.QUOTAS, f"{unreserved:,} of {limit:,} concurrent executions of Lambda are unreserved.")
    return warning(
        Area.QUOTAS,
        f"Only {unreserved:,} functions of this account can run at once without a reservation, so that those "
        "of the environment may be throttled.",
        f"Have the quota {CONCURRENT_EXECUTIONS} raised to 1,000 in Service Quotas.",
    )
