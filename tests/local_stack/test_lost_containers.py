"""What is said of a container of the offline stack that ended before its first event."""

from pathlib import Path

import pytest

from background_jobs.local_stack import LocalStack
from tests.offline import become_caller, until

JOBS = """
from background_jobs import job_name, run_e11_job

@job_name("one")
def one(params):
    return 1

run_e11_job([one])
"""


def test_a_container_that_cannot_load_its_jobs_is_lost_with_the_end_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else would tell where that log is: the container has appended nothing."""
    # given a stack that is up when a fault gets into the file of its jobs
    jobs = tmp_path / "jobs.py"
    jobs.write_text(JOBS)
    with LocalStack(str(jobs), containers=1) as stack:
        service = become_caller(stack, monkeypatch)
        jobs.write_text(f"{JOBS}\ndef broken(:\n")
        # when a container is launched
        orchestration = service.kick_off_job("one", [{}])
        (wait,) = until(lambda: [wait for wait in orchestration.waits() if "exit code" in wait.detail])
        orchestration.cancel()
    # then the reason says where to look, and what is there
    assert f"Its log is {stack.folder}/" in wait.detail
    assert "def broken(:" in wait.detail
    assert "SyntaxError" in wait.detail
