"""The test of a job that docs/containers.md shows to a team."""

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
    (tmp_path / "test_jobs.py").write_text(python_block("docs/containers.md", "with LocalStack("))
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
