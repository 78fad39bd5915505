"""The test of a job that docs/testing.md shows to a team."""

import os
import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def python_block(document: str, mark: str) -> str:
    text = (REPOSITORY / document).read_text()
    (block,) = [block for block in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL) if mark in block]
    return str(block)


def test_the_test_that_is_shown_passes_with_the_job_of_the_readme(tmp_path: Path) -> None:
    # given both as they are printed, and a variable that leads to an account
    (tmp_path / "jobs.py").write_text(python_block("README.md", "class ProcessBatch"))
    (tmp_path / "test_jobs.py").write_text(python_block("docs/testing.md", "def test_all_orders"))
    environment = {**os.environ, "AWS_PROFILE": "prod"}
    # when it is run
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "test_jobs.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    # then
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_tutorial_runs_as_it_is_written(tmp_path: Path) -> None:
    # given its files
    (tmp_path / "jobs.py").write_text(python_block("docs/tutorial.md", '@job_name("bill")'))
    (tmp_path / "kick_off.py").write_text(python_block("docs/tutorial.md", "kick_off_job("))
    local_run = [
        str(Path(sys.executable).with_name("background-jobs")),
        "local",
        "run",
        "--jobs",
        "jobs.py",
        "--",
    ]
    # when they run on the offline stack
    done = subprocess.run(
        [*local_run, sys.executable, "kick_off.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    # then twenty customers are billed, and two have failed for what the tutorial says
    assert done.returncode == 0, done.stderr
    assert "665.00 billed" in done.stdout
    assert "empty failed: ValueError" in done.stdout
    assert "broken failed: " in done.stdout
