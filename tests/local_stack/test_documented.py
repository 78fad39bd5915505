"""What the README and the tutorial show to a team."""

import re
import subprocess
import sys
from pathlib import Path

from background_jobs.local_stack import LocalStack

REPOSITORY = Path(__file__).parents[2]


def python_block(document: str, mark: str) -> str:
    text = (REPOSITORY / document).read_text()
    (block,) = [block for block in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL) if mark in block]
    return str(block)


def test_the_job_of_the_readme_runs_as_it_is_printed(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(python_block("README.md", "class ProcessBatch"))
    params = [{"customer": "acme", "orders": [1, 2]}]
    with LocalStack(str(tmp_path / "jobs.py")) as stack:
        successes, failures = stack.service().kick_off_job("process_batch", params).results(timeout=60)
    assert failures is None
    assert successes[0].result == {"processed": 2}


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
