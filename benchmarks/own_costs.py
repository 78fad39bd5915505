"""What so many no-ops cost offline: CPU, memory, calls and units; ``python -m benchmarks.own_costs TOTAL``.

CPU is that of every process: caller, emulator, functions and containers. Calls are counted by the emulator.
Write units are computed from the items in the tables by DynamoDB's rule: one for each KB begun, and two in a
transaction. What is counted is held to upper bounds by tests/end_to_end/test_costs.py.
"""

import json
import os
import resource
import sys
import threading
import time
import urllib.request
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

import psutil

from background_jobs import OrchestrationService
from background_jobs.local_stack import LocalStack
from background_jobs.local_stack.call_counter import PATH
from background_jobs.local_stack.processes import LOG, find_processes
from benchmarks.counting import count_writes

CONTAINERS: Final = 2
SERVICE: Final = "default"
_COUNTED_UP_TO: Final = 100_000
"""With more instances, the emulator takes longer to read the tables than to fill them."""
_SAMPLE_SECONDS: Final = 0.5


def main() -> None:
    """Print a line of JSON."""
    total = int(sys.argv[1])
    with LocalStack(str(Path(__file__).with_name("jobs.py")), containers=CONTAINERS) as stack:
        for name in stack.unwanted_variables:
            del os.environ[name]
        os.environ.update(stack.variables)
        print(json.dumps(measure(stack, total)))


def measure(stack: LocalStack, total: int) -> dict[str, Any]:
    """Run *total* no-ops after a few that warm the stack, and read their results one by one."""
    service = OrchestrationService()
    service.kick_off_job("no_op", [{"n": 0}]).results(60)
    calls, cpu, memory, began = _calls(stack), _cpu(stack), _own_memory(), time.monotonic()
    with _Memory(stack) as sampled:
        orchestration = service.kick_off_job(
            "no_op", ({"n": n} for n in range(total)), parallelism=CONTAINERS
        )
        kicked_off, kick_off_memory = time.monotonic(), _own_memory()
        orchestration.wait()
        waited = time.monotonic()
        if any(success.index != n for n, success in enumerate(orchestration.outcomes())):
            sys.exit(f"The results of {orchestration.id} are wrong.")
        read = time.monotonic()
    cost: dict[str, Any] = {
        "instances": total,
        "seconds": read - began,
        "kick_off_seconds": kicked_off - began,
        "reading_seconds": read - waited,
        "cpu_ms": 1000 * (_cpu(stack) - cpu) / total,
        "calls": sum((_calls(stack) - calls).values()) / total,
        "kick_off_mb": kick_off_memory - memory,
        "caller_mb": _own_memory() - memory,
        **sampled.most,
    }
    if total <= _COUNTED_UP_TO:
        counted = count_writes(stack.settings, SERVICE, orchestration.id, total)
        cost["log_units"] = counted.log_units / total
        cost["read_model_units"] = counted.read_model_units / total
        cost["stream_records"] = counted.stream_records / total
    return cost


class _Memory:
    """The most MB that the emulator and a container had, looked at now and then within a `with` block."""

    def __init__(self, stack: LocalStack) -> None:
        self.most = {"emulator_mb": 0.0, "container_mb": 0.0}
        self._stack = stack
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._is_over.wait(_SAMPLE_SECONDS):
            for process in find_processes(self._stack.stack_id):
                with suppress(psutil.Error):
                    if process.pid == self._stack.pid:
                        self._note("emulator_mb", process)
                    elif LOG in process.environ():
                        self._note("container_mb", process)

    def _note(self, name: str, process: psutil.Process) -> None:
        self.most[name] = max(self.most[name], process.memory_info().rss / 2**20)


def _own_memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _calls(stack: LocalStack) -> Counter[str]:
    with urllib.request.urlopen(stack.variables["AWS_ENDPOINT_URL"] + PATH) as answer:  # noqa: S310
        return Counter(json.load(answer))


def _cpu(stack: LocalStack) -> float:
    """Return the CPU seconds of this process, of all that run, and of all that the emulator has reaped."""
    own = psutil.Process().cpu_times()
    total = own.user + own.system
    for process in find_processes(stack.stack_id):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
            if process.pid == stack.pid:
                total += times.children_user + times.children_system
    return total


if __name__ == "__main__":
    main()
