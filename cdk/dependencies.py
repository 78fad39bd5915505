"""The Lambda layer: what the functions import, built without Docker for arm64 whatever the host is."""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from cdk.service_config import REPOSITORY

PYTHON: Final = "3.14"
"""The version of Python that the functions run on."""

_NEEDED: Final = (
    "aws-lambda-powertools",
    "croniter",
    "fastapi",
    "jsonschema",
    "pydantic",
    "pyjwt[crypto]",
    "sse-starlette",
    "tzdata",
    "uvicorn",
)
"""boto3 comes with Lambda's runtime, which imports it faster than a layer would."""
_PLATFORM: Final = (
    "--platform=manylinux2014_aarch64",
    "--platform=manylinux_2_28_aarch64",
    "--implementation=cp",
    f"--python-version={PYTHON}",
    "--only-binary=:all:",
    # The host's bytecode cannot be used there, and would make the layer differ from build to build.
    "--no-compile",
)
_NOT_ON_LAMBDA: Final = ("background_jobs/cli/", "background_jobs/local_stack/")


class DependenciesNotInstalled(Exception):
    """The dependencies of the functions could not be installed for their platform."""


def build_dependencies(target: Path) -> Path:
    """Install the locked dependencies and the SDK into *target* as a layer, and return it.

    The same lock and sources make the same layer. Raises DependenciesNotInstalled.
    """
    packages = target / "python"
    shutil.rmtree(target, ignore_errors=True)
    packages.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("\n".join(_pins((REPOSITORY / "requirements" / "local.txt").read_text())))
        pip = ["pip", "install", "--quiet", "--disable-pip-version-check", f"--target={packages}"]
        _run([*pip, *_PLATFORM, f"--constraint={constraints}", *_NEEDED])
        _run(["hatchling", "build", "-t", "wheel", "-d", folder])
        (wheel,) = Path(folder).glob("*.whl")
        _extract(wheel, packages)
    shutil.rmtree(packages / "bin", ignore_errors=True)
    return target


def _run(module: list[str]) -> None:
    command = [sys.executable, "-m", *module]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)  # noqa: S603 -- our own words only
    if done.returncode:
        raise DependenciesNotInstalled(
            f"The layer of the functions could not be built; {' '.join(module[:2])} said:\n{done.stderr}"
        )


def _extract(wheel: Path, packages: Path) -> None:
    """Extract the SDK and its metadata, which has the version, without what Lambda never imports."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(
            packages, [name for name in archive.namelist() if not name.startswith(_NOT_ON_LAMBDA)]
        )


def _pins(locked: str) -> list[str]:
    """Return ``name==version`` of each package of a lock file; the hashes are those of other platforms."""
    return [
        line.split()[0] for line in locked.splitlines() if "==" in line and not line.startswith((" ", "#"))
    ]
