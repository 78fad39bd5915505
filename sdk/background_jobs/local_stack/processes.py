"""Finds and ends all processes of a stack, whatever their parents are."""

import os
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

import psutil

from background_jobs.local_stack.docker_containers import remove_containers
from background_jobs.worker.forking import show_arguments

STACK_ID: Final = "BACKGROUND_JOBS_STACK_ID"
"""The variable that all processes of a stack inherit, and by which they are found."""
LOG: Final = "BACKGROUND_JOBS_LOG"
"""The variable that all processes of a container inherit, and that is its own."""

STACK_PROJECT: Final = "BACKGROUND_JOBS_STACK_PROJECT"
"""The variable that the processes of a stack that stays have beside it: the folder whose stack it is."""

_GRACE_SECONDS: Final = 3
_ROUNDS: Final = 10


def find_processes(stack_id: str) -> list[psutil.Process]:
    """Return the processes of a stack, this one left out."""
    return find_marked(STACK_ID, stack_id)


def kill_container(log: Path) -> None:
    """Kill what is left of the container with this log, also in sessions of its own, and wait for the end."""
    processes = find_marked(LOG, str(log))
    for process in processes:
        _tolerate(process.kill)
    psutil.wait_procs(processes, timeout=_GRACE_SECONDS)


def find_marked(variable: str, value: str | None = None) -> list[psutil.Process]:
    """Return the processes whose *variable* has *value*, or any, this one left out."""
    processes = []
    own = psutil.Process().pid
    for process in psutil.process_iter():
        try:
            found = process.environ().get(variable)
            if process.pid != own and found is not None and value in (None, found):
                processes.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return processes


def end_all(stack_id: str) -> None:
    """End every process of a stack but this one: with SIGTERM, then with SIGKILL, until none is left."""
    for _ in range(_ROUNDS):
        # One that is about to run another program has no variables for a moment.
        processes = _with_children(find_processes(stack_id) or find_processes(stack_id))
        if not processes:
            return
        for process in processes:
            _tolerate(process.terminate)
        _, stubborn = psutil.wait_procs(processes, timeout=_GRACE_SECONDS)
        for process in stubborn:
            _tolerate(process.kill)
        psutil.wait_procs(stubborn, timeout=_GRACE_SECONDS)


def _with_children(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Return *processes* and what they started, which may have been given other variables."""
    found = dict.fromkeys(processes)
    for process in processes:
        with suppress(psutil.Error):
            found |= dict.fromkeys(process.children(recursive=True))
    found.pop(psutil.Process(), None)
    return list(found)


def start_watchdog(*, in_docker: bool) -> None:
    """Fork a process that ends everything of this process's stack once this one ends, even by SIGKILL.

    This process has no threads yet. What the other waits for is the end of a pipe, of which this process
    keeps its end as long as it lives, and nothing else that it starts gets it.
    """
    reader, _ = os.pipe()
    if os.fork() == 0:
        _watch(reader, in_docker=in_docker)
    os.close(reader)


def _watch(pipe: int, *, in_docker: bool) -> NoReturn:
    os.setsid()
    os.dup2(pipe, 0)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    if sys.platform == "linux":
        show_arguments("background-jobs watchdog")
    while os.read(0, 1):
        pass
    stack_id = os.environ[STACK_ID]
    end_all(stack_id)
    if in_docker and shutil.which("docker"):
        remove_containers(stack_id)
    os._exit(0)


def _tolerate(end: Callable[[], None]) -> None:
    try:
        end()
    except psutil.NoSuchProcess:
        return
