"""Commands as a user types them, in a folder and with variables of its own."""

import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from background_jobs.settings import Settings


def shell_variables(state: Path) -> dict[str, str]:
    """Return the variables of a shell that knows no stack, and notes those that it starts in *state*."""
    own = {name: value for name, value in os.environ.items() if name not in Settings.variable_names()}
    path = f"{Path(sys.executable).parent}{os.pathsep}{own['PATH']}"
    return own | {"XDG_STATE_HOME": str(state), "PATH": path}


def run(
    folder: Path, variables: dict[str, str], *words: str, stdin: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Run `background-jobs` with *words*, in a process that is forked from one that has imported it."""
    with TemporaryDirectory() as outputs:
        given, out, err = streams = [Path(outputs, name) for name in ("in", "out", "err")]
        given.write_text(stdin)
        process = _forks().Process(target=_become_command, args=(folder, variables, words, streams))
        process.start()
        process.join(120)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(words, 120, err.read_bytes())
        return subprocess.CompletedProcess(words, process.exitcode, out.read_text(), err.read_text())


@cache
def _forks() -> ForkServerContext:
    """Start what commands are forked from, with the variables of no stack, which would end it with itself."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [
            "background_jobs.cli.main",
            "background_jobs.public",
            "background_jobs.local_stack",
            "botocore.client",
            "rich.console",
        ]
    )
    with patch.dict(os.environ, shell_variables(Path()), clear=True):
        forkserver.ensure_running()
    return context


def _become_command(
    folder: Path, variables: dict[str, str], words: Sequence[str], streams: Sequence[Path]
) -> None:
    """Run the command in this process, as a shell has it: with its folder, variables, arguments and streams."""
    from background_jobs.cli.main import app

    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    for number, path in enumerate(streams):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
    sys.stdin = os.fdopen(0, closefd=False)  # that of a forked process is closed
    sys.argv = ["background-jobs", *words]
    app()


def exported(printed: str, variables: dict[str, str]) -> dict[str, str]:
    """Return the variables of a shell that has evaluated what `local up` printed."""
    show = f"exec {sys.executable} -c 'import json, os; print(json.dumps(dict(os.environ)))'"
    shown = subprocess.run(
        ["sh", "-c", f"{printed}\n{show}"], env=variables, capture_output=True, text=True, check=True
    )
    found: dict[str, str] = json.loads(shown.stdout)
    return found
