"""A main whose job says how much memory its container takes; it is not forked, as none is on AWS."""

import os
from typing import Any

import psutil

from background_jobs import job_name, run_e11_job

kept_open = open(__file__)  # noqa: PTH123, SIM115 -- such a main is not forked


@job_name("take_memory")
def take_memory(params: dict[str, Any]) -> int:
    """Return the bytes of both processes of the container; what they share is counted once."""
    processes = [psutil.Process(pid) for pid in (os.getpid(), os.getppid())]
    return sum(process.memory_full_info().pss for process in processes) if params["measure"] else 0


if __name__ == "__main__":
    run_e11_job([take_memory])
