"""The processes below this one, whoever started them: found, ended and reaped.

On Linux the outer process of a container becomes the parent of every descendant that loses its own, so none
is out of reach, not even in a session of its own. Elsewhere those are found whose parents live.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_PR_SET_CHILD_SUBREAPER: Final = 36
_PROC: Final = Path("/proc")
_END_SECONDS: Final = 10.0
"""How long the end of killed processes is awaited; one that waits for a device may take longer."""
_POLL_SECONDS: Final = 0.002


class Descendants:
    """The processes below *root*, but for those that were there before this was made.

    Those are helpers that the jobs' module started when it was loaded.
    """

    def __init__(self, root: int) -> None:
        self._root = root
        self._kept = frozenset(find_descendants(root))

    def end(self, spared: Collection[int] = ()) -> set[int]:
        """Kill all but this process, *spared* and what is below those; return them once they are gone."""
        spared = self._kept.union(spared)
        ended = set[int]()
        for killed in _killing(self._root, spared):
            ended.update(killed)
            reap(spared)
        return ended


def end_descendants(root: int | None = None) -> None:
    """Kill what runs below process *root*, by default this one, and wait until it is gone."""
    for _ in _killing(os.getpid() if root is None else root):
        if root is None:
            reap(())


def adopt_orphans() -> Descendants:
    """Be the parent of every descendant that loses its own, from now on."""
    descendants = Descendants(os.getpid())
    _set_subreaper(1)
    # A library that ignores SIGCHLD has the kernel reap, and then nobody learns how a child ended.
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    return descendants


@contextmanager
def adopting_orphans() -> Iterator[Descendants]:
    """Be the parent of every descendant that loses its own, and end those that are left with the context."""
    descendants = adopt_orphans()
    try:
        yield descendants
    finally:
        descendants.end()
        _set_subreaper(0)


def leave_process_group() -> None:
    """Give this process a group of its own: a script that ends with `kill 0` ends the group that it is in."""
    os.setpgid(0, 0)


def find_descendants(root: int, spared: Collection[int] = ()) -> list[int]:
    """Return what runs below *root*, except this process, *spared*, and what is below those."""
    if root == os.getpid() and not has_children():
        return []
    children = defaultdict(list)
    for pid, parent, is_running in _list_processes():
        children[parent].append((pid, is_running))
    found, parents = [], [root]
    while parents:
        for pid, is_running in children[parents.pop()]:
            if pid in spared:
                continue
            parents.append(pid)
            if is_running and pid != os.getpid():
                found.append(pid)
    return found


def has_children() -> bool:
    """Tell whether this process has a child that runs, or that ended and was not waited for."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def reap(spared: Collection[int]) -> None:
    """Forget the children that have ended, up to one of *spared*: somebody waits for that."""
    with suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            if ended.si_pid in spared:
                return
            os.waitpid(ended.si_pid, os.WNOHANG)


def _killing(root: int, spared: Collection[int] = ()) -> Iterator[list[int]]:
    """Kill what runs below *root* as long as there is something, and yield it after each time."""
    deadline = time.monotonic() + _END_SECONDS
    while (found := find_descendants(root, spared)) and time.monotonic() < deadline:
        for pid in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        yield found
        time.sleep(_POLL_SECONDS)


def _list_processes() -> Iterator[tuple[int, int, bool]]:
    """Yield each process of this machine or container, its parent, and whether it still runs."""
    if not _PROC.exists():
        yield from _ask_ps()
        return
    for entry in os.scandir(_PROC):
        if entry.name.isdecimal():
            with suppress(OSError):  # it has ended
                # The name of the program is in parentheses, and may have any character in it.
                state, parent = _stat(entry.path).rpartition(b")")[2].split()[:2]
                yield int(entry.name), int(parent), state not in b"ZX"


def _stat(folder: str) -> bytes:
    with open(f"{folder}/stat", "rb", buffering=0) as file:  # noqa: PTH123 -- half the time of a Path
        return file.read()


def _ask_ps() -> Iterator[tuple[int, int, bool]]:
    answer = subprocess.run(
        ["/bin/ps", "-A", "-o", "pid=,ppid=,state="], capture_output=True, text=True, check=False
    )
    for line in answer.stdout.splitlines():
        pid, parent, state = line.split()[:3]
        yield int(pid), int(parent), not state.startswith("Z")


def _set_subreaper(value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, value, 0, 0, 0)
