"""What tests of the offline stack share: a caller's fixtures, waiting for a condition, and finding containers."""

import contextlib
import os
import time
from collections.abc import Callable
from typing import Any

import boto3
import psutil
import pytest

from background_jobs import OrchestrationService
from background_jobs.aws import clients
from background_jobs.core.containers.variables import ORCHESTRATION_ID
from background_jobs.core.containers.warm import WARM_QUEUE
from background_jobs.local_stack import LocalStack
from background_jobs.local_stack.processes import find_processes


def become_caller(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> OrchestrationService:
    """Give this process the variables of a caller of *stack*, and clients that know them."""
    for name in stack.unwanted_variables:
        monkeypatch.delenv(name)
    for name, value in stack.variables.items():
        monkeypatch.setenv(name, value)
    clients.forget_clients()
    boto3.setup_default_session()
    return OrchestrationService()


@pytest.fixture
def service(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> OrchestrationService:
    """Call the stack of the folder whose conftest.py imports this fixture."""
    return become_caller(stack, monkeypatch)


def until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """Return what *condition* returns once it is true; it is asked ever less often, for it may call the stack."""
    deadline, pause = time.monotonic() + seconds, 0.02
    while time.monotonic() < deadline:
        if answer := condition():
            return answer
        time.sleep(pause)
        pause = min(1.2 * pause, 0.25)
    raise AssertionError(f"not within {seconds} s: {condition}")


def is_running(pid: int) -> bool:
    """Tell whether a process has not ended; a zombie has, once its other threads have."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1
    except psutil.NoSuchProcess:
        return False


def send_to_container(container: int, number: int) -> None:
    """Send a signal to the outer process of a container and to all that runs below it."""
    with contextlib.suppress(psutil.NoSuchProcess):
        outer = psutil.Process(container)
        for process in (outer, *outer.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)


def warm_workers(stack_id: str) -> list[psutil.Process]:
    """Return the processes of warm workers; each share has processes below its own."""
    found = []
    for process in find_processes(stack_id):
        try:
            variables = process.environ()
            is_leader = os.getsid(process.pid) == process.pid
            if is_leader and WARM_QUEUE in variables and ORCHESTRATION_ID not in variables:
                found.append(process)
        except (psutil.Error, ProcessLookupError):
            continue
    return found


def containers(stack_id: str, orchestration_id: str) -> list[psutil.Process]:
    """Return the outer processes of the containers that work for an orchestration."""
    found = []
    for process in find_processes(stack_id):
        try:
            if (
                process.environ().get("ORCHESTRATION_ID") == orchestration_id
                and os.getsid(process.pid) == process.pid
            ):
                found.append(process)
        except (psutil.Error, ProcessLookupError):
            continue
    return found
