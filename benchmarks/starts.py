"""What the start of a container costs: CPU (user and system) of its processes up to the job's first line.

Medians of twenty, offline: a container that is forked, one that is a Python of its own, as it is on AWS, and
for comparison `import boto3`.
"""

import compileall
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import background_jobs
from background_jobs import OrchestrationService
from background_jobs.local_stack import LocalStack

RUNS: Final = 20
_MAIN: Final = """
import os
import time

from background_jobs import job_name, run_e11_job

{before}

@job_name("first_line")
def first_line(params):
    clock_of_outer = ~os.getppid() << 3 | 2  # as clock_getcpuclockid(3) makes it
    return time.process_time() + time.clock_gettime(clock_of_outer)

run_e11_job([first_line])
"""
_WAYS: Final = {
    "process of its own": "kept_open = open(__file__)  # such a main is not forked",
    "forked": "",
}


def main() -> None:
    """Print a line for each way to start; with a way as argument, only what it takes, and `import boto3`."""
    if way := " ".join(sys.argv[1:]):
        print(*_start_containers(_WAYS[way]))
        return
    # As in the image, also where PYTHONDONTWRITEBYTECODE is set.
    compileall.compile_dir(Path(background_jobs.__file__).parent, quiet=2)
    for name in _WAYS:
        # A process has the clients of one stack.
        command = [sys.executable, "-m", "benchmarks.starts", name]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        seconds, boto3 = map(float, done.stdout.split())
        print(
            f"{name:<19} {1000 * seconds:4.0f} ms, {seconds / boto3:.2f} times `import boto3`"
            f" ({1000 * boto3:.0f} ms)"
        )


def _import_boto3() -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", "import boto3"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _start_containers(before: str) -> tuple[float, float]:
    """Return what a container takes, and what `import boto3` takes: in turns, for a machine is never idle."""
    with tempfile.TemporaryDirectory() as folder:
        jobs = Path(folder) / "jobs.py"
        jobs.write_text(_MAIN.format(before=before))
        with LocalStack(str(jobs)) as stack:
            for name in stack.unwanted_variables:
                os.environ.pop(name, None)
            os.environ.update(stack.variables)
            service = OrchestrationService(stack.settings)
            pairs = [(_run_one(service), _import_boto3()) for _ in range(RUNS)]
            own, boto3 = (statistics.median(taken) for taken in zip(*pairs, strict=True))
            return own, boto3


def _run_one(service: OrchestrationService) -> float:
    orchestration = service.kick_off_job("first_line", [{}])
    successes, _ = service.get_job_results(orchestration.id, timeout=600)
    return float(successes[0].result)


if __name__ == "__main__":
    main()
