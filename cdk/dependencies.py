"""The Lambda layer: what the functions import, built without Docker for arm64 whatever the host is."""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Final

from background_jobs.package_files import PACKAGE, lock_file

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
_NOT_ON_LAMBDA: Final = ("cdk", "cli", "files", "local_stack")
_DISTRIBUTION: Final = "background-job-service"


class DependenciesNotInstalled(Exception):
    """The dependencies of the functions could not be installed for their platform."""


def build_dependencies(folder: Path) -> Path:
    """Install the locked dependencies and the SDK into a layer in *folder*, and return the layer.

    It is named after what it is made of, and made once. Raises DependenciesNotInstalled.
    """
    constraints = "\n".join(_pins(lock_file("local").read_text()))
    target = folder / f"dependencies-{_fingerprint(constraints)}"
    if not target.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as unfinished:
            layer = _install(Path(unfinished), constraints)
            _copy_sdk(layer / "python")
            _move(layer, target)
    return target


def _install(folder: Path, constraints: str) -> Path:
    pins, layer = folder / "constraints.txt", folder / "layer"
    pins.write_text(constraints)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command = [*pip, f"--target={layer / 'python'}", *_PLATFORM, f"--constraint={pins}", *_NEEDED]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 -- our own words only
    if done.returncode:
        raise DependenciesNotInstalled(
            f"The layer of the functions could not be built; pip said:\n{done.stderr}"
        )
    shutil.rmtree(layer / "python" / "bin", ignore_errors=True)
    return layer


def _copy_sdk(packages: Path) -> None:
    """Copy the SDK as it is installed here, and its metadata, which has the version."""
    for source in _sources():
        copy = packages / PACKAGE.name / source.relative_to(PACKAGE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
    metadata = packages / f"{PACKAGE.name}-{version(_DISTRIBUTION)}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(_metadata())


def _metadata() -> str:
    return f"Metadata-Version: 2.4\nName: {_DISTRIBUTION}\nVersion: {version(_DISTRIBUTION)}\n"


def _sources() -> Iterator[Path]:
    """Yield the files of the SDK in a fixed order, without what Lambda never imports."""
    for path in sorted(PACKAGE.rglob("*")):
        inner = path.relative_to(PACKAGE)
        if path.is_file() and inner.parts[0] not in _NOT_ON_LAMBDA and "__pycache__" not in inner.parts:
            yield path


def _fingerprint(constraints: str) -> str:
    """Return what tells one layer from another: all that it is made of."""
    told = hashlib.sha256("\n".join([constraints, *_NEEDED, *_PLATFORM, _metadata()]).encode())
    for path in _sources():
        told.update(str(path.relative_to(PACKAGE)).encode())
        told.update(path.read_bytes())
    return told.hexdigest()[:16]


def _move(layer: Path, target: Path) -> None:
    try:
        layer.rename(target)
    except OSError:
        # Another synthesis made the same in the meantime.
        if not target.is_dir():
            raise


def _pins(locked: str) -> list[str]:
    """Return ``name==version`` of each package of a lock file; the hashes are those of other platforms."""
    return [
        line.split()[0] for line in locked.splitlines() if "==" in line and not line.startswith((" ", "#"))
    ]
