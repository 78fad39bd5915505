"""The jobs that the twin and the offline stack both run; the main of the offline stack's containers."""

import asyncio
import os
import signal
import time
from typing import Any

from pydantic import BaseModel

from background_jobs import GiveUp, JobContext, Retry, RetryAfter, job_name, run_e11_job


class Numbers(BaseModel):
    values: list[int]


@job_name("total")
class Total:
    def run(self, params: Numbers, job: JobContext) -> dict[str, Any]:
        return {"total": sum(params.values), "index": job.index, "customer": job.tags.get("customer")}


@job_name("fussy")
def fussy(params: dict[str, Any]) -> str:
    if params.get("bad"):
        raise ValueError(f"{params['bad']} is bad")
    return "good"


@job_name("flaky", retry=Retry(max_attempts=3, base_seconds=0.1, give_up_on=(LookupError,)))
def flaky(params: dict[str, Any], job: JobContext) -> int:
    """Fail as the params say, and return the attempt that succeeded."""
    match params.get("how"):
        case "twice" if job.attempt < 3:
            raise OSError("away")
        case "always":
            raise OSError("gone")
        case "lookup":
            raise KeyError("customer")
        case "give up":
            raise GiveUp("no such customer")
        case "later" if job.attempt == 1:
            raise RetryAfter(0.2)
    return job.attempt


@job_name("slow", timeout=1)
def slow(params: dict[str, Any]) -> str:
    time.sleep(params["seconds"])
    return "in time"


@job_name("coroutine", timeout=1)
async def coroutine(params: dict[str, Any]) -> str:
    await asyncio.sleep(params["seconds"])
    return "in time"


@job_name("sleepy")
def sleepy(params: dict[str, Any]) -> str:
    time.sleep(params["seconds"])
    return "slept"


@job_name("exit")
def exit_process(params: dict[str, Any]) -> str:
    if params.get("exit"):
        time.sleep(1)
        os._exit(9)
    return "stayed"


@job_name("victim")
def victim(params: dict[str, int], job: JobContext) -> int:
    """Kill the outer process of the container, as the machine's loss does, as often as the params say."""
    if params.get("kills", 0) >= job.attempt:
        # By then the start of the attempt is in the log.
        time.sleep(1)
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(600)
    return job.attempt


@job_name("echo")
def echo(params: dict[str, Any]) -> Any:
    return params


@job_name("double")
def double(params: dict[str, int]) -> int:
    return 2 * params["n"]


@job_name("odd")
def odd(params: dict[str, Any]) -> object:
    """Return what no JSON can hold."""
    return object()


ALL = [Total, coroutine, double, echo, exit_process, flaky, fussy, odd, slow, sleepy, victim]

if __name__ == "__main__":
    run_e11_job(ALL)
