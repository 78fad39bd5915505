"""How much memory a container leaves to the user's code."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from background_jobs.aws import clients
from background_jobs.local_stack import LocalStack
from tests.end_to_end import memory_jobs
from tests.offline import become_caller

INSTANCES: Final = 2_000
MEASURED_EVERY: Final = 500
BOUND: Final = 80_000_000
_BARE: Final = "import psutil; print(psutil.Process().memory_full_info().pss)"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what processes share")
def test_a_container_takes_less_than_80_mb_beside_what_a_python_with_the_users_imports_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bare = int(subprocess.run([sys.executable, "-c", _BARE], capture_output=True, check=True).stdout)
    params = [{"measure": n % MEASURED_EVERY == MEASURED_EVERY - 1} for n in range(INSTANCES)]
    with LocalStack(str(Path(memory_jobs.__file__))) as stack:
        service = become_caller(stack, monkeypatch)
        successes, failures = service.kick_off_job("take_memory", params, parallelism=1).results(120)
    clients.forget_clients()
    assert failures is None
    measured = [success.result for success in successes if success.result]
    assert max(measured) - bare < BOUND
    # and it does not grow with the instances that it has run
    assert measured[-1] - measured[0] < 5_000_000
