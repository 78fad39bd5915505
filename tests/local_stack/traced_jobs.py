"""Jobs with spans of their own; the main of their containers."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from opentelemetry import trace

from background_jobs import JobContext, Retry, job_name, run_e11_job

tracer = trace.get_tracer("jobs")


def work(params: dict[str, Any], job: JobContext) -> str | None:
    with tracer.start_as_current_span("query", attributes={"n": params["n"]}):
        if params.get("fail_until", 0) >= job.attempt:
            raise LookupError("not there yet")
        return os.environ.get("TRACEPARENT")


@job_name("one-by-one", retry=Retry(max_attempts=2, base_seconds=0.1))
def one_by_one(params: dict[str, Any], job: JobContext) -> str | None:
    return work(params, job)


@job_name("threads", concurrency=2)
def threads(params: dict[str, Any], job: JobContext) -> str | None:
    return work(params, job)


@job_name("coroutines", concurrency=2)
async def coroutines(params: dict[str, Any], job: JobContext) -> str | None:
    with tracer.start_as_current_span("outer"):
        await asyncio.sleep(0)
        return work(params, job)


@job_name("processes", concurrency=2, process_per_instance=True)
def processes(params: dict[str, Any], job: JobContext) -> str | None:
    return work(params, job)


@job_name("kept", reuse_process=True)
def kept(params: dict[str, Any], job: JobContext) -> int:
    work(params, job)
    return os.getpid()


@job_name("lasting")
def lasting(params: dict[str, Any], job: JobContext) -> None:
    if params["n"] == 0:
        work(params, job)
        return
    Path(params["started"]).touch()
    time.sleep(600)


if __name__ == "__main__":
    run_e11_job([one_by_one, threads, coroutines, processes, kept, lasting])
