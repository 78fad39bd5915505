"""What is said of containers of the offline stack that end before their first event."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from background_jobs import OrchestrationService
from background_jobs.local_stack import LocalStack
from tests.offline import become_caller, until

JOBS: Final = """
import os
import time

from background_jobs import job_name, run_e11_job

@job_name("one")
def one(params):
    return 1

@job_name("hold")
def hold(params):
    while not os.path.exists(params["until"]):
        time.sleep(0.02)

run_e11_job([one, hold])
"""
BROKEN: Final = {
    "a main that Python cannot read": (f"{JOBS}\ndef broken(:\n", "SyntaxError"),
    "a module that is not there": (f"import nowhere\n{JOBS}", "No module named 'nowhere'"),
    "a main that ends itself": (f"import sys\nsys.exit('no database is set')\n{JOBS}", "no database is set"),
    "a command that runs nothing": (None, "can't open file"),
}
"""What the file of the jobs has once a job was kicked off (None for no file), and what the cause then says."""


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lost") / "jobs.py"
    path.write_text(JOBS)
    return path


@pytest.fixture(scope="module")
def stack(jobs: Path) -> Iterator[LocalStack]:
    with LocalStack(str(jobs), containers=1) as stack:
        yield stack


@pytest.fixture
def service(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> OrchestrationService:
    return become_caller(stack, monkeypatch)


@pytest.mark.parametrize(("main", "cause"), BROKEN.values(), ids=BROKEN)
def test_a_container_that_dies_before_its_first_event_says_why(
    service: OrchestrationService, jobs: Path, tmp_path: Path, main: str | None, cause: str
) -> None:
    """It has appended nothing, so that nothing but its log has the cause."""
    # given an instance that waits for its container when a fault gets into the jobs
    jobs.write_text(JOBS)
    before = service.kick_off_job("hold", [{"until": str(tmp_path / "go")}])
    until(lambda: before.summary().running)
    orchestration = service.kick_off_job("one", [{}])
    jobs.unlink()
    if main is not None:
        jobs.write_text(main)
    # when the container is launched
    (tmp_path / "go").touch()
    (wait,) = until(lambda: [wait for wait in orchestration.waits() if "exit code" in wait.detail])
    # then the reason of the wait has the cause, and the logs have all of it while nothing has begun
    assert cause in wait.detail
    assert any(cause in line.message for line in orchestration.log_lines())
    assert any(cause in line.message for line in orchestration.log_page(0).lines)
    orchestration.cancel()
