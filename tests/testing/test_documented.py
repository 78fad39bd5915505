"""The tests that docs/testing.md shows to a team."""

import os
import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def test_the_tests_that_are_shown_pass_with_the_jobs_that_are_shown(tmp_path: Path) -> None:
    # given the blocks of the page, as files of a repository, and a variable that leads to an account
    text = (REPOSITORY / "docs" / "testing.md").read_text(encoding="utf-8")
    jobs, *tests = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    (tmp_path / "jobs.py").write_text(jobs, encoding="utf-8")
    for number, block in enumerate(tests):
        (tmp_path / f"test_{number}.py").write_text(block, encoding="utf-8")
    (settings,) = re.findall(r"```ini\n(.*?)```", text, flags=re.DOTALL)
    (tmp_path / "pytest.ini").write_text(settings.replace("src/jobs.py", "jobs.py"), encoding="utf-8")
    # when they are run
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"],
        cwd=tmp_path,
        env={**os.environ, "AWS_PROFILE": "prod"},
        capture_output=True,
        text=True,
        check=False,
    )
    # then
    assert "13 passed" in done.stdout, done.stdout + done.stderr
