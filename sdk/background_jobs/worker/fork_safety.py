"""What a process has that does not work in a fork of it."""

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from background_jobs.worker import loading_notes
from background_jobs.worker.descendants import has_children

_PROC: Final = Path("/proc/self")
_PATH_FIELD: Final = 5
"""Where a line of `maps` has the file. Source: proc_pid_maps(5)."""
_STANDARD_DESCRIPTORS: Final = frozenset({0, 1, 2})


def has_threads() -> bool:
    """Tell whether this process has more than one thread; on Linux also those that are none of Python's."""
    with suppress(OSError):
        return len(list((_PROC / "task").iterdir())) > 1
    return threading.active_count() > 1


def has_socket() -> bool:
    """Tell whether this process has a socket beyond the standard descriptors; on Linux alone."""
    return any(target.startswith("socket:") for target in _open_files(frozenset()))


def find_reason_not_to_share(*own_descriptors: int) -> str:
    """Return what this process did that its forks cannot each have for themselves; empty where nothing is.

    A container has what its main made while loading to itself, so forks of one main for several containers
    need more than the fork of one process for the same container: they must not share the position in a file,
    a helper process, memory, or a folder that the first of them removes. *own_descriptors* are left out.
    Linux alone knows them all.
    """
    if has_threads():
        return "started a thread"
    if has_children():
        return "started a process"
    libraries = _mapped_libraries()
    opened = [target for target in _open_files(frozenset(own_descriptors)) if target not in libraries]
    if opened:
        return "opened a socket" if opened[0].startswith("socket:") else f"left {opened[0]} open"
    if _has_shared_memory():
        return "shares memory"
    return "made a temporary folder" if loading_notes.has_temporary_folder() else ""


def _open_files(spared: frozenset[int]) -> list[str]:
    found = []
    with suppress(OSError):
        for entry in (_PROC / "fd").iterdir():
            with suppress(OSError):  # the one through which the folder is read is closed by now
                if int(entry.name) not in _STANDARD_DESCRIPTORS.union(spared):
                    found.append(str(entry.readlink()))
    own_folder = f"/proc/{os.getpid()}/fd"
    return [target for target in found if target != own_folder]


def _mapped_libraries() -> set[str]:
    """Return the files whose code this process runs.

    libffi leaves its own open, to map more of it: ctypes has it do so on the Linux of Python's later images.
    """
    with suppress(OSError):
        mappings = (line.split(maxsplit=5) for line in (_PROC / "maps").read_text().splitlines())
        return {fields[_PATH_FIELD] for fields in mappings if "x" in fields[1] and len(fields) > _PATH_FIELD}
    return set()


def _has_shared_memory() -> bool:
    with suppress(OSError):
        return any(line.split()[1].startswith(b"rw-s") for line in (_PROC / "maps").open("rb"))
    return False


def renew_random_state() -> None:
    """Have a fork draw other numbers of numpy than its siblings; Python itself sees to its own."""
    if numpy_random := sys.modules.get("numpy.random"):
        numpy_random.seed()
