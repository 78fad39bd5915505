"""The Lambda layer: what the functions import, built without Docker for arm64 whatever the host is."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

_REPOSITORY: Final = Path(__file__).resolve().parents[1]
_NEEDED: Final = (
    "aws-lambda-powertools",
    "croniter",
    "fastapi",
    "pydantic",
    "sse-starlette",
    "tzdata",
    "uvicorn",
)
"""boto3 comes with Lambda's runtime, which imports it faster than a layer would."""


def build_dependencies(target: Path) -> Path:
    """Install the locked dependencies and the SDK into *target* as a layer, and return it.

    Raises subprocess.CalledProcessError if a package cannot be had for arm64.
    """
    packages = target / "python"
    shutil.rmtree(target, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    platform = ["--platform=manylinux2014_aarch64", "--implementation=cp", "--python-version=3.13"]
    locked = _REPOSITORY / "requirements" / "local.txt"
    constraints = target / "constraints.txt"
    target.mkdir(parents=True)
    constraints.write_text("\n".join(_pins(locked.read_text())))
    subprocess.run(  # noqa: S603 -- our own words only
        [
            *command,
            *platform,
            "--only-binary=:all:",
            f"--target={packages}",
            f"--constraint={constraints}",
            *_NEEDED,
        ],
        check=True,
    )
    constraints.unlink()
    shutil.copytree(
        _REPOSITORY / "sdk" / "background_jobs",
        packages / "background_jobs",
        ignore=shutil.ignore_patterns("__pycache__", "local_stack", "cli"),
    )
    return target


def _pins(locked: str) -> list[str]:
    """Return ``name==version`` of each package of a lock file; the hashes are those of other platforms."""
    return [
        line.split()[0] for line in locked.splitlines() if "==" in line and not line.startswith((" ", "#"))
    ]
