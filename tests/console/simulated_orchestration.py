"""Simulated orchestrations of every size and age, for screenshots and measurements."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from background_jobs.core.containers.delays import DelayReason
from background_jobs.core.containers.shares import share_bounds
from background_jobs.core.events import (
    ContainerEnded,
    ContainerStarted,
    Event,
    JobAttemptFailed,
    JobCompleted,
    JobError,
    JobErrored,
    JobProgressed,
    JobStarted,
    ShareDelayed,
)
from tests.console.simulated_api import SimulatedApi

LOG: Final = "/background-jobs/prod/orders/job/job/8d3f0c6e2b7a4f19"
CONTAINERS: Final = 64
POOR_SHARE: Final = 5
"""The share whose first container runs out of memory."""

_TRACEBACK: Final = """Traceback (most recent call last):
  File "/app/jobs.py", line {line}, in run
    {code}
{type}: {message}
"""


def _error(kind: str, message: str, line: int, code: str) -> JobError:
    trace = _TRACEBACK.format(type=kind, message=message, line=line, code=code)
    return JobError(type=kind, message=message, traceback=trace)


def _errors(index: int) -> list[JobError]:
    """Return the errors that instance *index* can have, the most frequent first."""
    return [
        _error(
            "requests.ConnectionError",
            f"HTTPSConnectionPool(host='erp.acme.example', port=443): Max retries exceeded with url: /v2/orders/{index}",
            41,
            "answer = session.get(url, timeout=10)",
        ),
        _error(
            "ValueError",
            f"order {index} has no currency",
            57,
            'raise ValueError(f"order {number} has no currency")',
        ),
        _error("KeyError", "'region'", 62, 'rate = RATES[order["region"]]'),
    ]


class SimulatedOrchestration:
    """One orchestration whose events are computed."""

    def __init__(
        self, api: SimulatedApi, orchestration_id: str, total: int, at: datetime, seconds: float
    ) -> None:
        self._api = api
        self.id = orchestration_id
        self.total = total
        self._at = at
        self._seconds = seconds
        self._draw = random.Random(11)

    @classmethod
    def kick_off(
        cls, api: SimulatedApi, job_name: str, total: int, at: datetime, seconds: float, **tags: str
    ) -> "SimulatedOrchestration":
        """Kick off *job_name* as of *at*; all its instances take *seconds* together."""
        params = [{"batch": n, "orders": [f"{n:05d}-{k}" for k in "abc"]} for n in range(total)]
        return cls(
            api, api.kick_off(job_name, params, at, tags=tags, parallelism=CONTAINERS), total, at, seconds
        )

    def run(self, part: float = 1.0, failing: float = 0.0) -> "SimulatedOrchestration":
        """Append events until *part* of the instances have ended; *failing* is the share that errors."""
        ended = int(self.total * part)
        self._api.append(
            *self._containers(is_over=ended == self.total),
            *(self._outcome(index, failing) for index in range(ended)),
        )
        if ended == self.total:
            self._api.complete(self.id)
        else:
            self._api.append(*self._running(range(ended, min(self.total, ended + CONTAINERS))))
        return self

    def _containers(self, *, is_over: bool) -> Iterator[Event]:
        """Yield the launches of up to CONTAINERS containers, of which one runs out of memory."""
        shares = min(CONTAINERS, self.total)
        for share in range(shares):
            fields = {"orchestration_id": self.id, "share": share}
            launched = {"cpu": 512, "log": LOG, **fields}
            first, last = share_bounds(share, self.total, shares)
            begun = self._at + timedelta(seconds=1 + share * self._seconds / 400)
            yield ContainerStarted(at=begun, launch=0, first=first, last=last, memory_mib=1024, **launched)
            launch = int(share == POOR_SHARE)
            if launch:
                lost = begun + timedelta(seconds=self._seconds / 8)
                yield ShareDelayed(at=lost, number=0, reason=DelayReason.MEMORY, detail="", **fields)
                again = lost + timedelta(seconds=9)
                yield ContainerStarted(
                    at=again, launch=1, first=first, last=last, memory_mib=2048, **launched
                )
            if is_over:
                ended = self._compute_end(self.total - shares + share)
                yield ContainerEnded(at=ended, launch=launch, status=0, **fields)

    def _compute_end(self, index: int) -> datetime:
        """Return when instance *index* ends; the first ones end slowly, while containers start."""
        return self._at + timedelta(seconds=2 + self._seconds * ((index + 1) / self.total) ** 0.86)

    def _outcome(self, index: int, failing: float) -> Event:
        seconds = self._draw.uniform(0.5, 6)
        fields = {"orchestration_id": self.id, "index": index, "at": self._compute_end(index)}
        began = max(self._at + timedelta(seconds=1), self._compute_end(index) - timedelta(seconds=seconds))
        if self._draw.random() >= failing:
            return JobCompleted(attempts=1, started_at=began, result={"migrated": 3}, **fields)
        (error,) = self._draw.choices(_errors(index), [6, 3, 1])
        params = {"batch": index}
        return JobErrored(
            attempts=3, started_at=began, job_name="job", params=params, error=error, log=LOG, **fields
        )

    def _running(self, indices: range) -> Iterator[Event]:
        now = self._compute_end(indices.start)
        for index in indices:
            fields = {"orchestration_id": self.id, "index": index, "at": now, "attempt": 1}
            yield JobStarted(**fields)
            if index % 9 == 4:
                yield JobAttemptFailed(
                    error=_errors(index)[0], retry_at=now + timedelta(seconds=20), **fields
                )
            elif index % 5:
                yield JobProgressed(percent=self._draw.randint(4, 97), message="orders moved", **fields)
