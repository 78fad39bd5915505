"""The stream measured on this machine: `make bench`.

Outcomes are appended to the log at a steady rate, as containers would, and the delay of each is from just
before its append to its arrival at a client of `GET /orchestrations/{id}/events`. Then the same with many
clients at once, which run in a process of their own; CPU and memory are those of the API's process.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import psutil

from background_jobs import Orchestration, OrchestrationService
from background_jobs.aws.stores import Stores
from background_jobs.core.blocks import cut_bodies, ranges_of_share
from background_jobs.core.events import JobCompleted
from background_jobs.core.ownership import Ownership, take_over
from background_jobs.local_stack import LocalStack
from background_jobs.local_stack.processes import find_processes

RATE = 100
"""Outcomes a second."""
SECONDS = 10
WATCHERS = 200


def main() -> None:
    """Measure one client, then many."""
    with LocalStack(str(Path(__file__).with_name("jobs.py")), containers=2) as stack:
        for name in stack.unwanted_variables:
            del os.environ[name]
        os.environ.update(stack.variables)
        service, stores = OrchestrationService(), Stores.of(stack.settings)
        _one_client(service, stores, stack)
        _many_clients(service, stores, stack)


def _one_client(service: OrchestrationService, stores: Stores, stack: LocalStack) -> None:
    orchestration = _kick_off(service)
    sent: dict[int, float] = {}
    seen: dict[int, float] = {}
    connected = threading.Event()
    client = threading.Thread(target=_read, args=(_url(stack, orchestration), seen, connected))
    client.start()
    connected.wait()
    _append(orchestration, stores, sent)
    client.join()
    delays = sorted(1000 * (seen[index] - sent[index]) for index in seen if index in sent)
    print(
        f"outcome appended to client, at {RATE} outcomes/s: "
        f"p50 {statistics.median(delays):.0f} ms, p99 {delays[int(0.99 * len(delays))]:.0f} ms, "
        f"at most {delays[-1]:.0f} ms ({len(delays)} outcomes)"
    )


def _many_clients(service: OrchestrationService, stores: Stores, stack: LocalStack) -> None:
    orchestration = _kick_off(service)
    (api,) = [
        process
        for process in find_processes(stack.stack_id)
        if "background_jobs.progress_api" in process.cmdline()
    ]
    watchers = subprocess.Popen(
        [sys.executable, __file__, _url(stack, orchestration)], stdout=subprocess.PIPE, text=True
    )
    if watchers.stdout is None or watchers.stdout.readline() != "connected\n":
        sys.exit("The clients could not connect.")
    before, began = _cpu(api), time.monotonic()
    _append(orchestration, stores, {})
    output, _ = watchers.communicate()
    seconds = time.monotonic() - began
    totals = json.loads(output)
    memory = api.memory_info().rss
    print(
        f"{WATCHERS} clients at once: {totals['complete']} got everything; the API took "
        f"{100 * (_cpu(api) - before) / seconds:.0f} % of a processor and {memory / 2**20:.0f} MB; "
        f"{totals['bytes'] / WATCHERS / (RATE * SECONDS):.0f} bytes an instance and client on the wire"
    )


def _kick_off(service: OrchestrationService) -> Orchestration:
    # The only container is busy with the first instance; the outcomes of all instances are appended here.
    params = ({"n": n, "hold": 10 * SECONDS} for n in range(RATE * SECONDS))
    orchestration = service.kick_off_job("hold", params, parallelism=1)
    # The measurement begins once the container and the functions run.
    while not orchestration.summary().running:
        time.sleep(0.1)
    return orchestration


def _append(orchestration: Orchestration, stores: Stores, sent: dict[int, float]) -> None:
    began = time.monotonic()
    service = stores.event_log.read_started(orchestration.id).service
    ranges = ranges_of_share(service, orchestration.id, 0, RATE * SECONDS - 1)
    owned: Ownership | None = None
    for index in range(RATE * SECONDS):
        time.sleep(max(0.0, began + index / RATE - time.monotonic()))
        now = datetime.now(UTC)
        sent[index] = time.monotonic()
        outcome = JobCompleted(
            orchestration_id=orchestration.id, at=now, index=index, attempts=1, started_at=now
        )
        if owned is None or index > owned.range.last:
            # The container loses the range, and learns of it when its only instance is done.
            owned, _ = stores.block_log.run(take_over(next(ranges), "benchmark"))
        for body in cut_bodies([outcome]):
            stores.block_log.run(owned.append(body))


def _read(url: str, seen: dict[int, float], connected: threading.Event) -> None:
    with httpx2.Client(timeout=60) as client, client.sse(url, max_event_size=None) as source:
        for event in source:
            connected.set()
            if event.event == "transitions":
                now = time.monotonic()
                seen |= {move["index"]: now for move in json.loads(event.data)["transitions"]}


async def _watch(url: str, connected: asyncio.Barrier) -> tuple[int, int]:
    size, ended = 0, 0
    async with httpx2.AsyncClient(timeout=60) as client, client.stream("GET", url) as response:
        if await connected.wait() == 0:
            print("connected", flush=True)
        async for chunk in response.aiter_raw():
            size += len(chunk)
            ended += chunk.count(b'"status":"Completed"')
    return size, ended


async def _watchers(url: str) -> dict[str, int]:
    connected = asyncio.Barrier(WATCHERS)
    counts: Sequence[tuple[int, int]] = await asyncio.gather(
        *(_watch(url, connected) for _ in range(WATCHERS))
    )
    complete = sum(ended >= RATE * SECONDS for _, ended in counts)
    return {"bytes": sum(size for size, _ in counts), "complete": complete}


def _url(stack: LocalStack, orchestration: Orchestration) -> str:
    return f"{stack.settings.api_url}/orchestrations/{orchestration.id}/events"


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(asyncio.run(_watchers(sys.argv[1]))))
    else:
        main()
