"""The wheel, installed as a team does: into an empty environment, in an empty folder, away from this checkout."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.checkout import REPOSITORY
from tests.infrastructure.conftest import node

__all__ = ["node"]

INSTALL_SECONDS: Final = 900
RUN_SECONDS: Final = 240


@dataclass(frozen=True)
class Installation:
    """An environment of Python that has the wheel, and a folder to work in."""

    environment: Path
    wheel: Path
    folder: Path

    def run(self, *command: str, within: str = "", **variables: str) -> str:
        """Run *command* as in an activated environment, and return what it printed; it must succeed."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        binaries = f"{self.environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            [*command],
            cwd=self.folder / within,
            env=kept | {"PATH": binaries, "VIRTUAL_ENV": str(self.environment)} | variables,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{command} said:\n{done.stdout}{done.stderr}"
        return done.stdout


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout into *folder*."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The wheel with what deploying and testing need, in the versions of this checkout's lock."""
    place = tmp_path_factory.mktemp("adoption")
    wheel, environment, folder = build_wheel(place / "dist"), place / "environment", place / "folder"
    folder.mkdir()
    pins = re.findall(
        r"^[\w.-]+==[^ \\]+", (REPOSITORY / "requirements" / "dev.txt").read_text(), re.MULTILINE
    )
    (place / "constraints.txt").write_text("\n".join(pins))
    _uv("venv", "--python", sys.executable, str(environment))
    options = [
        "--python",
        str(environment / "bin" / "python"),
        "--constraints",
        str(place / "constraints.txt"),
    ]
    _uv("pip", "install", *options, f"background-job-service[cdk,local] @ {wheel.as_uri()}", "pytest")
    return Installation(environment, wheel, folder)


def _uv(*words: str) -> None:
    command = [sys.executable, "-m", "uv", "--quiet", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    if done.returncode == 0:
        return
    if not os.environ.get("CI") and re.search(
        "error sending request|dns|connect", done.stderr, re.IGNORECASE
    ):
        pytest.skip(f"The package index cannot be reached, so this was not tested: {done.stderr}")
    raise AssertionError(done.stderr)
