"""What the jobs' main of a warm worker may do so that the worker can fork it for each share."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from background_jobs.core.containers.variables import SHARE_VARIABLES
from background_jobs.core.containers.warm import WARM_QUEUE
from background_jobs.settings import HOLDER
from background_jobs.worker.supervisor import TERMINATED

MAIN = """
import os, threading

from background_jobs import job_name, run_e11_job

{loading}

@job_name("work")
def work(params):
    return None


run_e11_job([work])
"""

CONNECTION = {
    WARM_QUEUE: "http://127.0.0.1:9/1/queue",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
}
"""Nobody listens there, so that the worker goes on asking."""


def serve(folder: Path, loading: str) -> tuple[int, str]:
    """Run a warm worker until it waits for shares, tell it to end, and return its exit status and its log."""
    main = folder / "main.py"
    main.write_text(MAIN.format(loading=loading))
    inherited = {name: value for name, value in os.environ.items() if name not in SHARE_VARIABLES | {HOLDER}}
    with subprocess.Popen(
        [sys.executable, str(main)],
        env=inherited | CONNECTION,
        stderr=subprocess.PIPE,
        text=True,
    ) as worker:
        assert worker.stderr is not None
        log = []
        for line in worker.stderr:
            log.append(line)
            if "waits for shares" in line:
                worker.send_signal(signal.SIGTERM)
        return worker.wait(60), "".join(log)


@pytest.mark.parametrize(
    ("loading", "reason"),
    [
        pytest.param("os.environ.get('HOME'), 'PATH' in os.environ", None, id="what all shares see alike"),
        pytest.param(
            "OPEN = open(next(line.split()[5] for line in open('/proc/self/maps') if 'libc' in line))",
            None,
            id="a library whose code it runs, as libffi leaves its own open",
        ),
        pytest.param(
            "INDEX = os.environ.get('JOB_INDICES')", "read JOB_INDICES while it was loaded", id="its share"
        ),
        pytest.param(
            "threading.Thread(target=threading.Event().wait, daemon=True).start()",
            "started a thread",
            id="a thread",
        ),
    ],
)
def test_a_main_is_run_anew_for_each_share_only_where_forks_cannot_have_what_it_made(
    tmp_path: Path, loading: str, reason: str | None
) -> None:
    status, log = serve(tmp_path, loading)
    found = re.search("The jobs' main (.*): it is run anew for each share", log)
    assert (found and found[1]) == reason
    assert status == TERMINATED
