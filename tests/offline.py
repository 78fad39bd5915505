"""What tests of the offline stack share: waiting for a condition, and finding an orchestration's containers."""

import os
import time
from collections.abc import Callable
from typing import Any

import psutil

from background_jobs.local_stack.processes import find_processes


def until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := condition():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {condition}")


def containers(stack_id: str, orchestration_id: str) -> list[psutil.Process]:
    """Return the outer processes of the containers that work for an orchestration."""
    found = []
    for process in find_processes(stack_id):
        try:
            if (
                process.environ().get("ORCHESTRATION_ID") == orchestration_id
                and os.getpgid(process.pid) == process.pid
            ):
                found.append(process)
        except (psutil.Error, ProcessLookupError):
            continue
    return found
