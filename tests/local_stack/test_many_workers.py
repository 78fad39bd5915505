"""More workers than an environment on AWS allows by default, all at work at once."""

from pathlib import Path

from background_jobs.local_stack import LocalStack
from tests.offline import containers, until

WORKERS = 120
JOBS = """
import os
import time
from background_jobs import job_name, run_e11_job

@job_name("hold")
def hold(params):
    while not os.path.exists(params["go"]):
        time.sleep(0.2)
    return os.getpid()

if __name__ == "__main__":
    run_e11_job([hold])
"""


def test_as_many_workers_as_were_asked_for_are_at_work_at_once(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(JOBS)
    go = tmp_path / "go"
    with LocalStack(str(tmp_path / "jobs.py"), containers=WORKERS) as stack:
        # when each has an instance that holds it
        orchestration = stack.service().kick_off_job("hold", [{"go": str(go)}] * WORKERS)

        # then all of them run, each in a process of its own, and no instance waits
        until(lambda: orchestration.summary().running == WORKERS, seconds=240)
        assert len(containers(stack.stack_id, orchestration.id)) == WORKERS

        go.touch()
        successes, failures = orchestration.results(timeout=240)
        assert failures is None
        assert len({success.result for success in successes}) == WORKERS
