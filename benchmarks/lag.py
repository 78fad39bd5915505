"""How far the read model lags behind the log at 5,000 outcomes a second; ``python -m benchmarks.lag``.

Outcomes are appended in blocks, as containers would, and the summary is read every 20 ms. The lag at a moment
is the age of the oldest outcome that was appended and is not counted yet.
"""

import json
import os
import threading
import time
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

from background_jobs import Orchestration, OrchestrationService
from background_jobs.aws.stores import Stores
from background_jobs.core.blocks import cut_bodies, ranges_of_share
from background_jobs.core.events import JobCompleted
from background_jobs.core.ownership import take_over
from background_jobs.local_stack import LocalStack

RATE: Final = 5_000
"""Outcomes a second."""
SECONDS: Final = 6
_BLOCK: Final = 125
_LOOK_SECONDS: Final = 0.02
_PATIENCE: Final = 60


def main() -> None:
    """Print a line of JSON."""
    with LocalStack(str(Path(__file__).with_name("jobs.py")), containers=1) as stack:
        for name in stack.unwanted_variables:
            del os.environ[name]
        os.environ.update(stack.variables)
        print(json.dumps(measure(OrchestrationService(), Stores.of(stack.settings))))


def measure(service: OrchestrationService, stores: Stores) -> dict[str, Any]:
    """Return the median and the most of the lag, in seconds, and the rate at which outcomes were appended."""
    total = RATE * SECONDS
    # The only container is busy with the first instance; the outcomes of all instances are appended here.
    params = ({"n": n, "hold": 10 * SECONDS} for n in range(total))
    orchestration = service.kick_off_job("hold", params, parallelism=1)
    while not orchestration.summary().running:
        time.sleep(0.1)
    appended: list[tuple[float, int]] = []
    appending = threading.Thread(target=_append, args=(orchestration, stores, appended))
    appending.start()
    lags, counted, deadline = list[float](), 0, time.monotonic() + _PATIENCE
    while counted < total and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
        counted = orchestration.summary().completed
        lags.append(_lag(appended, counted))
    appending.join()
    rate = total / (appended[-1][0] - appended[0][0])
    # by now all of them were appended, so the last looks tell how the rest was caught up with
    return {"median": sorted(lags)[len(lags) // 2], "most": max(lags), "rate": rate, "counted": counted}


def _lag(appended: list[tuple[float, int]], counted: int) -> float:
    now, blocks = time.monotonic(), list(appended)
    sums = accumulate(size for _, size in blocks)
    return next((now - at for (at, _), sum_ in zip(blocks, sums, strict=True) if sum_ > counted), 0.0)


def _append(orchestration: Orchestration, stores: Stores, appended: list[tuple[float, int]]) -> None:
    began = time.monotonic()
    service = stores.event_log.read_started(orchestration.id).service
    for instances in ranges_of_share(service, orchestration.id, 0, RATE * SECONDS - 1):
        owned, _ = stores.block_log.run(take_over(instances, "benchmark"))
        for first in range(instances.first, instances.last + 1, _BLOCK):
            last = min(first + _BLOCK, instances.last + 1)
            time.sleep(max(0.0, began + last / RATE - time.monotonic()))
            now = datetime.now(UTC)
            outcomes = [
                JobCompleted(
                    orchestration_id=orchestration.id, at=now, index=index, attempts=1, started_at=now
                )
                for index in range(first, last)
            ]
            for body in cut_bodies(outcomes):
                stores.block_log.run(owned.append(body))
            appended.append((time.monotonic(), last - first))


if __name__ == "__main__":
    main()
