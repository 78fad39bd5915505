"""The jobs that the console's tests watch; the main of their containers."""

import logging
import time
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from background_jobs import GiveUp, JobContext, Retry, job_name, run_e11_job


@job_name("no_op")
def no_op(params: dict[str, Any]) -> int:
    """Do nothing."""
    return 1


@job_name("gated")
def gated(params: dict[str, Any], job: JobContext) -> str:
    """Say how far it is, and wait for a file, or for the end; fail where the params say so."""
    job.progress(40, params.get("says", "half way"))
    while not Path(params["until"]).exists():
        if job.cancelled():
            return "stopped"
        time.sleep(0.02)
    if bad := params.get("bad"):
        raise GiveUp(bad)
    return "through"


@job_name("talker")
def talker(params: dict[str, Any]) -> None:
    """Print and log what the params say, wait for a file, and print once more."""
    print(params["says"])  # noqa: T201 -- what the log must have
    logging.getLogger("shop").error("failed with %s", params["says"])
    while not Path(params["until"]).exists():
        time.sleep(0.02)
    print("the last words")  # noqa: T201 -- what the log must have


@job_name("fussy", retry=Retry(max_attempts=2, base_seconds=0.05, give_up_on=(ValueError,)))
def fussy(params: dict[str, Any], job: JobContext) -> dict[str, Any]:
    """Raise what the params say: for good, or at the first attempt only."""
    if params.get("bad"):
        raise ValueError(params["bad"])
    if params.get("flaky") and job.attempt == 1:
        raise OSError(params["flaky"])
    return {"attempt": job.attempt}


class Order(BaseModel):
    """The params of `order`, one of each kind that a form has a field for."""

    customer: str = Field(description="As the shop spells it.")
    copies: int = 1
    size: Literal["small", "large"] = "small"
    rush: bool = False
    due: date | None = None
    items: list[str] = []


@job_name("order", retry=Retry(max_attempts=3), timeout=90, concurrency=2)
def order(params: Order) -> str:
    """Process an order, and send the bill."""
    return params.customer


if __name__ == "__main__":
    run_e11_job([no_op, gated, talker, fussy, order])
