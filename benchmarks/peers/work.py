"""The work that every peer runs; standard library only, for it is imported in the peers' own environments."""

import os
import time
from pathlib import Path
from typing import Any


def no_op(number: int) -> int:
    """Do nothing, so that only the library's own work is measured."""
    return number


def burn(seconds: float) -> float:
    """Keep a processor busy for *seconds* of CPU."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
    return seconds


def nap(seconds: float) -> float:
    """Wait, as for another system."""
    time.sleep(seconds)
    return seconds


def noted_nap(task: list[Any]) -> int:
    """Note in a file that task *number* runs, and in which process, and wait: ``[number, seconds, file]``."""
    number, seconds, notes = task
    with Path(notes).open("a") as file:
        file.write(f"{number} {os.getpid()}\n")
    time.sleep(seconds)
    return int(number)


JOBS = {job.__name__: job for job in (no_op, burn, nap, noted_nap)}
