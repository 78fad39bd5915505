"""Commands as a user types them, in a folder and with variables of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

from background_jobs.settings import Settings


def shell_variables(state: Path) -> dict[str, str]:
    """Return the variables of a shell that knows no stack, and notes those that it starts in *state*."""
    own = {name: value for name, value in os.environ.items() if name not in Settings.variable_names()}
    path = f"{Path(sys.executable).parent}{os.pathsep}{own['PATH']}"
    return own | {"XDG_STATE_HOME": str(state), "PATH": path}


def run(folder: Path, variables: dict[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    """Run `background-jobs` with *words*."""
    return subprocess.run(
        ["background-jobs", *words],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def exported(printed: str, variables: dict[str, str]) -> dict[str, str]:
    """Return the variables of a shell that has evaluated what `local up` printed."""
    show = f"exec {sys.executable} -c 'import json, os; print(json.dumps(dict(os.environ)))'"
    shown = subprocess.run(
        ["sh", "-c", f"{printed}\n{show}"], env=variables, capture_output=True, text=True, check=True
    )
    found: dict[str, str] = json.loads(shown.stdout)
    return found
