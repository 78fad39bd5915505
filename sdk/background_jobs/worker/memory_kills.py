"""Whether the kernel has ended a process of this container because its memory was full."""

import re
from pathlib import Path
from typing import Final

_FILES: Final = (
    Path("/sys/fs/cgroup/memory.events"),  # cgroup v2
    Path("/sys/fs/cgroup/memory/memory.oom_control"),  # cgroup v1
)
_COUNT: Final = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


def count_memory_kills() -> int:
    """Return how many processes the kernel has ended here since the container began; 0 if it does not say.

    Source: the documentation of the Linux kernel, "Control Group v2" and "Memory Resource Controller".
    """
    for file in _FILES:
        try:
            found = _COUNT.search(file.read_text())
        except OSError:
            continue
        if found:
            return int(found[1])
    return 0
