"""The job of the chaos tests; the main of their containers."""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from background_jobs import job_name, run_e11_job

LEFT_OPEN: list[int] = []
UNEVEN: Final = 100
"""How many of the first instances take longer than the others."""
SLOW: Final = {500, 625, 750, 875, 990}
"""Which instances take far longer, in the job of which such may run twice."""


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def fail(_n: int) -> None:
    raise ValueError


def fail_without_words(_n: int) -> None:
    raise Unprintable


def exit_process(_n: int) -> None:
    os._exit(3)


def kill_container(_n: int) -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)


def fork(_n: int) -> None:
    """Make a child that comes back from here, as it does where somebody forgets to end it."""
    os.fork()


def spawn(n: int) -> None:
    multiprocessing.get_context("spawn").Pool(1).map(abs, [n])


def close_output(_n: int) -> None:
    sys.stdout.close()
    os.close(2)


def leak_descriptors(_n: int) -> None:
    with contextlib.suppress(OSError):
        while True:
            LEFT_OPEN.append(os.dup(0))


def leave_a_daemon(_n: int) -> None:
    subprocess.run(["sh", "-c", "setsid sleep 600 >/dev/null 2>&1 &"], check=True)


def change_settings(_n: int) -> None:
    os.chdir("/")
    os.environ.clear()
    signal.alarm(1)


BAD: Final[dict[int, Callable[[int], None]]] = {
    100: fail,
    333: exit_process,
    600: fail_without_words,
    666: kill_container,
}
"""What some instances do that do not complete."""
HOSTILE: Final[dict[int, Callable[[int], None]]] = {
    50: fork,
    180: spawn,
    250: close_output,
    400: leak_descriptors,
    500: leave_a_daemon,
    750: change_settings,
}
"""What some instances do that complete; the next ones in the same process are to complete too."""


AT_ONCE: Final = 4
HOSTILE_TO_NEIGHBOURS: Final = {250, 400}
"""What these do reaches all that run in their process."""


@job_name("square", reuse_process=True)
def square(params: dict[str, Any]) -> int:
    return do(int(params["n"]), params["runs"], at_once=1)


@job_name("square_at_once", concurrency=AT_ONCE)
def square_at_once(params: dict[str, Any]) -> int:
    return do(int(params["n"]), params["runs"], at_once=AT_ONCE)


def do(n: int, runs_file: str, at_once: int) -> int:
    """Note that it runs, take a moment, and do what is planned for this instance."""
    with open(runs_file, "a", buffering=1) as runs:  # noqa: PTH123 -- one line, one write
        runs.write(f"{n}\n")
    # Long enough to move between containers, and so uneven that some does.
    time.sleep(at_once * (0.12 if n < UNEVEN else 0.051))
    if at_once == 1 or n not in HOSTILE_TO_NEIGHBOURS:
        (BAD | HOSTILE).get(n, abs)(n)
    return n**2


@job_name("square_hedged", hedge=True)
def square_hedged(params: dict[str, Any]) -> int:
    """Do the same, but take long where it has not run before, for some instances of the later shares."""
    n = int(params["n"])
    with open(params["runs"], "a+") as runs:  # noqa: PTH123 -- as above
        runs.seek(0)
        has_run = f"{n}\n" in runs.readlines()
    if n in SLOW and not has_run:
        with open(params["runs"], "a", buffering=1) as runs:  # noqa: PTH123
            runs.write(f"{n}\n")
        time.sleep(4)
    return square(params)


if __name__ == "__main__":
    run_e11_job([square, square_at_once, square_hedged])
