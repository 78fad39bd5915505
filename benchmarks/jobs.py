"""The jobs of the benchmark; the main of its containers."""

import time
from typing import Any

from background_jobs import job_name, run_e11_job


@job_name("no_op")
def no_op(params: dict[str, Any]) -> int:
    """Do nothing, so that only our own work is measured."""
    number: int = params["n"]
    return number


@job_name("hold")
def hold(params: dict[str, Any]) -> None:
    """Keep the container busy, while others do the measured work."""
    time.sleep(params["hold"])


@job_name("picky")
def picky(params: dict[str, Any]) -> int:
    """Fail for every tenth."""
    if params["n"] % 10 == 0:
        raise ValueError("a tenth")
    return no_op(params)


if __name__ == "__main__":
    run_e11_job([no_op, hold, picky])
