"""The offline stack measured on this machine: `make bench`.

No-ops a second are from the kick-off's first call to all results in hand. CPU is that of every process:
caller, emulator, functions and containers. Calls are counted by the emulator. Write units are computed from
the items in the tables by DynamoDB's rule: one for each KB begun, and two in a transaction. What is counted
is held to upper bounds by tests/end_to_end/test_costs.py.
"""

import json
import os
import platform
import resource
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil

from background_jobs import Orchestration, OrchestrationService
from background_jobs.local_stack import LocalStack
from background_jobs.local_stack.call_counter import PATH
from background_jobs.local_stack.processes import find_processes
from benchmarks.counting import count_writes

CONTAINERS = 2
SERVICE = "default"


def main() -> None:
    """Run every measurement once and print a line for each."""
    jobs = Path(__file__).with_name("jobs.py")
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors, {CONTAINERS} containers\n")
    with LocalStack(str(jobs), containers=CONTAINERS) as stack:
        for name in stack.unwanted_variables:
            del os.environ[name]
        os.environ.update(stack.variables)
        service = OrchestrationService()
        cold = _measure(stack, lambda: _run(service, 1))
        print(f"N = 1, the first of a new stack: {cold.seconds:.2f} s")
        warm = [_measure(stack, lambda: _run(service, 1)).seconds for _ in range(3)]
        print(f"N = 1, later ones: {', '.join(f'{seconds:.2f}' for seconds in warm)} s\n")
        for total in (1_000, 10_000):
            _show(total, _measure(stack, lambda total=total: _run(service, total)), stack)  # type: ignore[misc]
        kick_off = _measure(stack, lambda: _kick_off_alone(stack, 100_000))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(
            f"kick-off of 100,000 params: {kick_off.seconds:.2f} s, "
            f"calls {_format_counts(kick_off.calls, 'caller')}"
        )
        print(f"the caller's memory at most: {before / 1024:.0f} MB")


class Measurement:
    """The time, the CPU and the calls of one run."""

    def __init__(self, seconds: float, cpu: float, calls: Counter[str], orchestration: Orchestration) -> None:
        self.seconds = seconds
        self.cpu = cpu
        self.calls = calls
        self.orchestration = orchestration


def _run(service: OrchestrationService, total: int) -> Orchestration:
    orchestration = service.kick_off_job("no_op", ({"n": n} for n in range(total)), parallelism=CONTAINERS)
    successes, failures = service.get_job_results(orchestration.id, timeout=600)
    if failures or [success.result for success in successes] != list(range(total)):
        outcome = failures.digest() if failures else f"{len(successes)} successes"
        sys.exit(f"The results of {orchestration.id} are wrong: {outcome}")
    return orchestration


def _kick_off_alone(stack: LocalStack, total: int) -> Orchestration:
    # No stack runs this service's containers, so nothing but the kick-off is measurement.
    service = OrchestrationService(stack.settings.model_copy(update={"service_names": ()}))
    return service.kick_off_job("no_op", ({"n": n} for n in range(total)), service="nobody")


def _measure(stack: LocalStack, run: Callable[[], Orchestration]) -> Measurement:
    calls, cpu, began = _calls(stack), _cpu(stack), time.monotonic()
    orchestration = run()
    seconds = time.monotonic() - began
    return Measurement(seconds, _cpu(stack) - cpu, _calls(stack) - calls, orchestration)


def _show(total: int, measurement: Measurement, stack: LocalStack) -> None:
    counted = count_writes(stack.settings, SERVICE, measurement.orchestration.id, total)
    print(
        f"N = {total:,} in {CONTAINERS} containers: {measurement.seconds:.2f} s\n"
        f"  write units in the event log    {counted.log_units / total:.3f} an instance\n"
        f"  write units in the read model   {counted.read_model_units / total:.3f} an instance\n"
        f"  stream records                  {counted.stream_records / total:.3f} an instance\n"
        f"  AWS calls                       {sum(measurement.calls.values()) / total:.3f} an instance\n"
        f"  no-ops                          {total / measurement.seconds:,.0f} a second\n"
        f"  CPU                             {1000 * measurement.cpu / total:.2f} ms an instance\n"
        f"  calls: {_format_counts(measurement.calls)}\n"
    )


def _format_counts(calls: Counter[str], caller: str = "") -> str:
    chosen = {name: count for name, count in sorted(calls.items()) if name.startswith(caller)}
    return ", ".join(f"{count} {name}" for name, count in chosen.items())


def _calls(stack: LocalStack) -> Counter[str]:
    with urllib.request.urlopen(stack.variables["AWS_ENDPOINT_URL"] + PATH) as answer:  # noqa: S310
        return Counter(json.load(answer))


def _cpu(stack: LocalStack) -> float:
    """Return the CPU seconds of this process, of all that run, and of all that the emulator has reaped."""
    own = psutil.Process().cpu_times()
    total = own.user + own.system
    for process in find_processes(stack.stack_id):
        times = process.cpu_times()
        total += times.user + times.system
        if process.pid == stack.pid:
            total += times.children_user + times.children_system
    return total


if __name__ == "__main__":
    main()
