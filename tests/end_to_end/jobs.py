"""The jobs of the end-to-end tests; the main of their containers."""

import contextlib
import ctypes
import os
import signal
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from background_jobs import GiveUp, JobContext, Retry, RetryAfter, job_name, run_e11_job
from background_jobs.core.events import JobCompleted, JobEvent
from background_jobs.worker import event_writer


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


@job_name("mendable")
def mendable(params: dict[str, Any]) -> str:
    """Fail until somebody has mended what the params name."""
    if not Path(params["until"]).exists():
        raise FileNotFoundError(params["until"])
    return "mended"


@job_name("exit")
def exit_process(params: dict[str, Any]) -> str:
    time.sleep(params.get("seconds", 0))
    if params.get("exit"):
        os._exit(9)
    return "stayed"


@job_name("environment")
def environment(params: dict[str, Any]) -> dict[str, str | None]:
    return {name: os.environ.get(name) for name in params["names"]}


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
    """Take too long in one of the ways that there are."""
    match params.get("how"):
        case "sleep":
            time.sleep(600)
        case "swallow":
            while True:
                with contextlib.suppress(Exception):  # a job that is deaf to errors
                    time.sleep(600)
        case "native":
            # Holds the interpreter's lock, and no signal interrupts it.
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
            ctypes.PyDLL(None).pause()
    return "in time"


LEFT_OPEN: list[int] = []


@job_name("leak")
def leak(params: dict[str, Any]) -> int:
    """Leave all descriptors open that a process may have, or none; return which process this is."""
    if params.get("leaks"):
        with contextlib.suppress(OSError):
            while True:
                LEFT_OPEN.append(os.dup(0))
    return os.getpid()


@job_name("kill_container")
def kill_container(params: dict[str, Any], job: JobContext) -> int:
    """Kill the outer process of the container, as the machine's loss does, as often as the params say."""
    if params.get("kills", 0) >= job.attempt:
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(600)
    return job.attempt


@job_name("patient")
def patient(params: dict[str, Any], job: JobContext) -> str:
    """Say that it runs, then wait for a file, or for the orchestration's cancellation."""
    Path(params["running"]).touch()
    while not Path(params["until"]).exists():
        if params.get("cooperative") and job.cancelled():
            return "saw the cancellation"
        time.sleep(0.05)
    return "done"


@job_name("report")
def report(params: dict[str, Any], job: JobContext) -> str:
    """Wait for a file where one is named, say how far it is, wait for another, and say so again, often."""
    while "after" in params and not Path(params["after"]).exists():
        time.sleep(0.02)
    job.progress(10, "reading")
    while not Path(params["until"]).exists():
        time.sleep(0.02)
    for step in range(100_000):
        job.progress(10 + step / 1_200, "writing")
    job.progress(100, "written")
    time.sleep(params.get("linger", 0))
    return "reported"


@job_name("talkative")
def talkative(params: dict[str, Any]) -> None:
    """Print something, wait for a file, and print something else."""
    print("before", flush=True)  # noqa: T201 -- the line that the log must have
    while not Path(params["until"]).exists():
        time.sleep(0.02)
    print("after", flush=True)  # noqa: T201 -- the same


@job_name("sign")
def sign(params: dict[str, Any], job: JobContext) -> dict[str, Any]:
    """Note which process runs which instance, and return a result that another process would not."""
    with Path(params["runs"]).open("a", buffering=1) as runs:
        runs.write(f"{os.getpid()} {job.index}\n")
    time.sleep(params["seconds"])
    return {"pid": os.getpid(), "at": time.time(), "pad": "x" * params["bytes"]}


@job_name("race", hedge=True, retry=Retry(max_attempts=3))
def race(params: dict[str, Any], job: JobContext) -> str:
    """Take far too long if the instance is to, and no other process has begun it before."""
    begun = Path(params["runs"]) / str(job.index)
    is_first = not begun.exists()
    begun.touch()
    if params["slow"] and is_first:
        time.sleep(3_600)
    return "first" if is_first else "copy"


@job_name("later_release")
def later_release(params: dict[str, Any]) -> str:
    """Let the outcome of this instance be written as only a release to come can read it."""
    if params.get("later"):
        writer: Any = event_writer
        write = writer.encode_event

        def write_later(event: JobEvent) -> bytes:
            if not isinstance(event, JobCompleted):
                return bytes(write(event))
            writer.encode_event = write
            return bytes(write(event)).replace(b'"JobCompleted"', b'"JobFinished"')

        writer.encode_event = write_later
    return "good"


if __name__ == "__main__":
    run_e11_job(
        [
            Total,
            fussy,
            mendable,
            exit_process,
            environment,
            flaky,
            race,
            slow,
            leak,
            kill_container,
            patient,
            report,
            talkative,
            sign,
            later_release,
        ]
    )
