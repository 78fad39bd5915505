"""An offline stack, and what makes clients of its API: the packages of two locks, each in a place of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from background_jobs.cdk.node import use_bundled_node
from background_jobs.local_stack import LocalStack
from tests.checkout import REPOSITORY
from tests.node import PackagesNotInstalled, install_packages

collect_ignore = ["use_client.py"]
"""It runs in the environment of a client, which has neither the SDK nor pytest."""
HERE = Path(__file__).parent
DOCUMENT = REPOSITORY / "docs" / "openapi.json"
PYTHON = HERE / ".venv" / "bin" / "python"


@pytest.fixture(scope="package")
def stack() -> Iterator[LocalStack]:
    with LocalStack(jobs=str(HERE / "jobs.py"), containers=2) as stack:
        yield stack


@pytest.fixture(scope="package")
def python_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the package `background_jobs_client` was made of the document."""
    _install_python_packages()
    folder: Path = tmp_path_factory.mktemp("python")
    target = folder / "background_jobs_client"
    options = ["--path", str(DOCUMENT), "--output-path", str(target), "--meta", "none", "--fail-on-warning"]
    # It formats what it has made with ruff, which is beside it.
    path = f"{PYTHON.parent}{os.pathsep}{os.environ['PATH']}"
    run([str(PYTHON), "-m", "openapi_python_client", "generate", *options], PATH=path)
    return folder


@pytest.fixture(scope="package")
def typescript_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the types of the document, the script that uses them, and its packages."""
    use_bundled_node()
    try:
        install_packages(HERE)
    except PackagesNotInstalled as refused:
        _skip(str(refused))
    folder: Path = tmp_path_factory.mktemp("typescript")
    for name in ("use_client.ts", "tsconfig.json", "package.json"):
        (folder / name).write_text((HERE / name).read_text())
    (folder / "node_modules").symlink_to(HERE / "node_modules")
    # What has a default may be left out of a body.
    options = ["--default-non-nullable=false", "--output", str(folder / "api.d.ts")]
    run([str(folder / "node_modules/.bin/openapi-typescript"), str(DOCUMENT), *options])
    return folder


def run(command: list[str], **variables: str) -> str:
    """Run a command to its end, and return what it printed."""
    done = subprocess.run(
        command, env=os.environ | variables, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _install_python_packages() -> None:
    lock, installed = HERE / "requirements.txt", PYTHON.parent.parent / ".installed"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    uv = [sys.executable, "-m", "uv"]
    for command in (
        [*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(PYTHON.parent.parent)],
        [*uv, "pip", "install", "--quiet", "--require-hashes", "--python", str(PYTHON), "-r", str(lock)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            _skip(f"the packages of {lock.name} cannot be installed: {done.stderr.strip()[-300:]}")
    installed.touch()


def _skip(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(f"Not tested: {reason}")
