"""Jobs whose module starts a thread while it is loaded, and whose main does not ask whether it is the main."""

import atexit
import logging
import multiprocessing
import os
import signal
import subprocess
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from background_jobs import JobContext, job_name, run_e11_job

POOL = ThreadPoolExecutor(1)
POOL.submit(logging.getLogger(__name__).info, "loaded").result()


def square(number: int) -> int:
    return number**2


@job_name("ask_thread")
def ask_thread(params: dict[str, Any]) -> int:
    return POOL.submit(square, params["n"]).result(60)


@job_name("ask_process")
def ask_process(params: dict[str, Any], job: JobContext) -> int:
    """Ask a process that loads this module, and so calls `run_e11_job`, once more."""
    with Path(params["runs"]).open("a") as runs:
        runs.write(f"{job.index}\n")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(params["method"])) as pool:
        return pool.submit(square, params["n"]).result(60)


@job_name("leave")
def leave(params: dict[str, Any]) -> None:
    """Leave a thread and a handler of atexit behind, and an open line of output."""
    atexit.register(Path(params["folder"], "handler").touch)

    def touch_later() -> None:
        time.sleep(0.3)
        Path(params["folder"], "thread").touch()

    threading.Thread(target=touch_later).start()


@job_name("end")
def end(params: dict[str, Any], job: JobContext) -> int:
    """End the process of the job, as the params say, and with it the outer process."""
    print("last words of", job.index)  # noqa: T201 -- the line that the log must have
    match params.get("how"):
        case "exit":
            os._exit(70)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "terminate":
            os.kill(os.getpid(), signal.SIGTERM)
        case "script":  # it ends its process group, as many do that clean up
            subprocess.run(["sh", "-c", "kill 0"], check=False)
    return job.attempt


@job_name("crowd", concurrency=4)
def crowd(params: dict[str, Any], job: JobContext) -> int:
    """Wait for the end of the process, which one of those that run together brings about."""
    folder = Path(params["folder"])
    folder.joinpath(f"{job.index}-{job.attempt}").touch()
    print("last words of", job.index)  # noqa: T201 -- the line that the log must have
    while params["exits"] or job.attempt == 1:
        if params["exits"] and all(folder.joinpath(f"{index}-1").exists() for index in range(4)):
            os._exit(70)
        time.sleep(0.01)
    return job.attempt


@job_name("patient", concurrency=3)
def patient(params: dict[str, Any], job: JobContext) -> int:
    folder = Path(params["folder"])
    folder.joinpath(f"{job.index}").touch()
    while not folder.joinpath("release").exists():
        time.sleep(0.01)
    return job.attempt


run_e11_job([ask_thread, ask_process, leave, end, crowd, patient])
