"""Whether this machine can build the images of services."""

import platform
from pathlib import Path
from typing import Final

_EMULATORS: Final = Path("/proc/sys/fs/binfmt_misc")
_NAMES: Final = {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}


def explain_foreign_build(
    *, arm64: bool, machine: str | None = None, system: str | None = None, emulators: Path = _EMULATORS
) -> str | None:
    """Return why this machine cannot build an image for *arm64* or x86-64, and what to do; None if it can.

    Docker's own error ("exec format error") names neither. Docker Desktop brings emulators, Linux alone does
    not. *machine*, *system* and *emulators* are those of this machine.
    """
    here = _NAMES.get(machine or platform.machine(), "")
    needed = "aarch64" if arm64 else "x86_64"
    if (system or platform.system()) != "Linux" or here == needed or (emulators / f"qemu-{needed}").exists():
        return None
    name = "arm64" if arm64 else "amd64"
    return (
        f"This machine is {here} and has no emulator for {name}: Docker will fail with `exec format error`. "
        f"Run `docker run --privileged --rm tonistiigi/binfmt --install {name}` once, or set "
        f"arm64={not arm64} for the service, or build elsewhere and name the image in a registry."
    )
