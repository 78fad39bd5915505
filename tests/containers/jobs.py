"""The jobs of the container tests; the main of their image."""

import logging
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from background_jobs import JobContext, job_name, run_e11_job

FOREVER = 600
MEGABYTE = 1024 * 1024
_log = logging.getLogger(__name__)


@job_name("surroundings")
def surroundings(params: dict[str, Any]) -> dict[str, Any]:
    """Tell who this is, and where it may write."""
    return {"uid": os.getuid(), "gid": os.getgid(), "writable": [p for p in params["paths"] if writable(p)]}


def writable(folder: str) -> bool:
    with suppress(OSError):
        (Path(folder) / "probe").write_text("written")
        return True
    return False


@job_name("fussy")
def fussy(params: dict[str, Any]) -> str:
    _log.info("looking at %s", params)
    if params.get("bad"):
        raise ValueError(f"{params['bad']} is bad")
    return "good"


@job_name("hang_once")
def hang_once(params: dict[str, Any], job: JobContext) -> int:
    """Hang in the first attempt, where the params say so, and return the attempt otherwise."""
    if params.get("hang") and job.attempt == 1:
        time.sleep(FOREVER)
    return job.attempt


@job_name("hoard")
def hoard(params: dict[str, Any]) -> int:
    """Take so much memory, all of it used."""
    taken = [bytearray(os.urandom(1) * MEGABYTE) for _ in range(params["megabytes"])]
    return len(taken)


@job_name("variables")
def variables(params: dict[str, Any]) -> list[str | None]:
    return [os.environ.get(name) for name in params["names"]]


@job_name("broken_main")
def broken_main(params: dict[str, Any]) -> None:
    """Never run: the main ends before it."""


if __name__ == "__main__":
    if os.environ.get("JOB_NAME") == "broken_main":
        sys.exit(3)
    run_e11_job([surroundings, fussy, hang_once, hoard, variables, broken_main])
