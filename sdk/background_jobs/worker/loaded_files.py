"""The files from which the modules of this process were loaded, and whether somebody has edited one since."""

import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

_STARTED: Final = 19
"""Where /proc/self/stat has, after the name of the program, the start of the process, in ticks after boot."""
_TICKS: Final = 100
"""Ticks a second, on every system that Python has wheels for."""

Stamps = Mapping[str, list[int] | None]
"""What changes of each file when it is edited or replaced, by its path."""


def stamp(path: str) -> list[int] | None:
    """Return what changes when a file is edited or replaced: time (ns), size, inode. None without a file."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return [found.st_mtime_ns, found.st_size, found.st_ino]


def stamp_loaded(others: Iterable[str] = ()) -> dict[str, list[int] | None]:
    """Return the stamps of the files of all modules that are loaded, and of *others*."""
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return {path: stamp(path) for path in (*files, *others) if isinstance(path, str)}


def forget_edited(stamps: Stamps, since: float) -> dict[str, list[int] | None]:
    """Return *stamps* that a file written *since* then, in seconds, does not have: what was loaded of it?"""
    return {path: [] if found and found[0] >= since * 1e9 else found for path, found in stamps.items()}


def read_start() -> float:
    """Return when this process started, in seconds as files have them; infinite where that is not known."""
    with suppress(OSError):
        fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
        since_boot = int(fields[_STARTED]) / _TICKS
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + since_boot
    return float("inf")


def are_current(stamps: Stamps) -> bool:
    """Tell whether each file still has its stamp."""
    return all(stamp(path) == found for path, found in stamps.items())
