"""The job of the chaos tests; the main of their containers."""

import os
import signal
import time
from typing import Any

from background_jobs import job_name, run_e11_job


@job_name("square")
def square(params: dict[str, Any]) -> int:
    """Note that it runs, take a moment, and do as the params say."""
    with open(params["runs"], "a", buffering=1) as runs:  # noqa: PTH123 -- one line, one write
        runs.write(f"{params['n']}\n")
    time.sleep(0.03)
    match params.get("how"):
        case "raise":
            raise ValueError(f"{params['n']} is bad")
        case "exit":
            os._exit(3)
        case "kill container":
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
    return int(params["n"]) ** 2


if __name__ == "__main__":
    run_e11_job([square])
