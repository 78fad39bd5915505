"""Forks that another process adopts, and what the kernel shows of them."""

import ctypes
import os
import time
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc/self")
_ADOPTION_SECONDS: Final = 0.0005
"""How long a process waits before it looks again whether its parent has ended."""
_ARGUMENTS_START: Final = 45
"""Where /proc/self/stat says, after the name of the program, at which address the arguments begin."""
_VARIABLES_START: Final = 47


def fork_orphan() -> int:
    """Fork a process with a session of its own, and return its id; return 0 in the process itself.

    Its parent is the nearest ancestor of this process that adopts orphans. The process in between has ended.
    """
    reader, writer = os.pipe()
    if between := os.fork():
        os.close(writer)
        os.waitpid(between, 0)
        with open(reader, "rb") as answer:  # noqa: PTH123 -- a descriptor
            return int(answer.read())
    os.close(reader)
    between = os.getpid()
    try:
        if os.fork():
            os._exit(0)
        while os.getppid() == between:
            time.sleep(_ADOPTION_SECONDS)
        # Before anybody knows of it: signals go to its process group.
        os.setsid()
        os.write(writer, b"%d" % os.getpid())
        os.close(writer)
    except OSError:  # the caller sees that the answer is missing
        os._exit(1)
    return 0


def show_variables() -> None:
    """Write the variables where the kernel shows those with which this process was started.

    Nothing may refer to that memory any more: all variables have been set anew.
    """
    _show(_VARIABLES_START, [b"%s=%s" % variable for variable in os.environb.items()])


def show_arguments(*words: str) -> None:
    """Write *words* where the kernel shows the arguments with which this process was started."""
    _show(_ARGUMENTS_START, list(map(os.fsencode, words)))


def _show(field: int, texts: list[bytes]) -> None:
    fields = (_PROC / "stat").read_bytes().rpartition(b")")[2].split()
    start, end = map(int, fields[field : field + 2])
    block = b"".join(b"%s\0" % text for text in texts)
    ctypes.memmove(start, block[: end - start].ljust(end - start, b"\0"), end - start)
