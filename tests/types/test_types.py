"""What type checkers know of jobs, kick-offs and results."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkout import REPOSITORY

CALLS = Path(__file__).with_name("calls.py")
pytestmark = pytest.mark.timeout(900)


def lines_to_refuse() -> list[int]:
    return [
        number for number, line in enumerate(CALLS.read_text().splitlines(), 1) if line.endswith("# refused")
    ]


def test_mypy_refuses_what_does_not_fit_and_nothing_else(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--config-file=",
        f"--cache-dir={tmp_path}",
        "-O",
        "json",
    ]
    done = subprocess.run([*command, str(CALLS)], capture_output=True, text=True, check=False, cwd=REPOSITORY)
    errors = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert sorted({error["line"] for error in errors}) == lines_to_refuse(), done.stdout + done.stderr


def test_pyright_refuses_what_does_not_fit_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "calls.py").write_text(CALLS.read_text())
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard"}')
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable]
    done = subprocess.run([*command, "calls.py"], capture_output=True, text=True, check=False, cwd=tmp_path)
    found = json.loads(done.stdout)["generalDiagnostics"]
    errors = {one["range"]["start"]["line"] + 1 for one in found if one["severity"] == "error"}
    assert sorted(errors) == lines_to_refuse(), done.stdout
