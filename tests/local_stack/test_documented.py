"""What the README and the tutorial show to a team."""

import json
import re
import subprocess
import sys
from pathlib import Path

import httpx

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


READ_PAGE = """
import sys
from fastapi.testclient import TestClient
from page import app

with TestClient(app).stream("GET", f"/progress/{sys.argv[1]}") as answer:
    print(*answer.iter_lines(), sep="\\n")
"""


def test_watching_from_a_program_is_as_it_is_written(tmp_path: Path) -> None:
    # given the programs of the page
    marks = {
        "jobs.py": "def count_up",
        "watch.py": "update.advances",
        "hear.py": "put_rule",
        "history.py": "page.summaries",
        "page.py": "EventSourceResponse(",
    }
    for name, mark in marks.items():
        (tmp_path / name).write_text(python_block("docs/watching.md", mark))
    (tmp_path / "read_page.py").write_text(READ_PAGE)
    with LocalStack(str(tmp_path / "jobs.py")) as stack:

        def run(*words: str) -> list[str]:
            command = [sys.executable, *words]
            variables = stack.process_variables()
            done = subprocess.run(
                command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            return done.stdout.splitlines()

        # and an API that is loaded, for the jobs take a few seconds alone
        assert httpx.get(stack.settings.api_url, timeout=120).status_code == 200

        # when they run, then each tells what the page says
        told = run("watch.py")
        assert "2 of 2" in told
        assert any(line.startswith("instance 1: ") and ", at " in line for line in told)
        assert run("hear.py") == ["Completed 1 of 1 acme"]
        listed = run("history.py")
        assert [line.split(" ", 1)[1] for line in listed] == ["Completed 1 of 1", "Completed 2 of 2"]
        streamed = run("read_page.py", listed[-1].split()[0])
        assert {line for line in streamed if line.startswith("event:")} == {"event: progress"}
        summaries = [json.loads(line.removeprefix("data:")) for line in streamed if line.startswith("data:")]
        assert summaries[-1]["completed"] == 2
