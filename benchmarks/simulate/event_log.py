"""The event log and its stream: throttled appends wait, and the aggregator folds what the stream gathers."""

import zlib
from collections import deque
from collections.abc import Callable, Generator
from typing import Any, Final, NamedTuple

import simpy

from background_jobs.core.limits import STREAM_BATCH, STREAM_WINDOW_SECONDS
from background_jobs.core.planning.fargate import RateQuota
from background_jobs.core.planning.footprint import FUNCTION_SECONDS, STREAM_SHARDS
from benchmarks.simulate.launches import TokenBucket

Process = Generator[simpy.Event, Any, None]

PARTITION_UNITS: Final = 1_000
"""Write units a second of one physical partition of DynamoDB."""
APPEND_CALL_SECONDS: Final = 0.01
POLL_SECONDS: Final = 0.25
"""Lambda looks into a shard four times a second ("Using AWS Lambda with Amazon DynamoDB")."""


class _Records(NamedTuple):
    blocks: float
    on_folded: Callable[[], None]


class EventLog:
    """A table on demand with so many physical *partitions*, each of which is a shard of the stream.

    A new table has four. Keys are spread over them by their hash, and a second's units that were not used are
    there in the next, no more: DynamoDB's burst capacity and its splits would only make it faster.
    """

    def __init__(self, env: simpy.Environment, *, partitions: int = STREAM_SHARDS) -> None:
        self._env = env
        quota = RateQuota(burst=PARTITION_UNITS, per_second=PARTITION_UNITS)
        self._buckets = [TokenBucket(quota) for _ in range(partitions)]
        self._shards = [_Shard(env, self) for _ in range(partitions)]
        self.commit_turn = simpy.Resource(env)
        """All commit to one summary, each on the condition that nobody else did meanwhile."""
        self.commits = 0
        self.waited = 0.0
        """Seconds for which appends waited, added up."""

    def append(self, key: str, *, blocks: float, units: float, on_folded: Callable[[], None]) -> simpy.Event:
        """Append *blocks* of so many write *units* together; return what happens when they are there.

        *on_folded* is called once they are in the read model.
        """
        number = zlib.crc32(key.encode()) % len(self._shards)
        throttled = self._buckets[number].reserve(self._env.now, units)
        self.waited += throttled
        done = self._env.timeout(throttled + APPEND_CALL_SECONDS)
        records = _Records(blocks, on_folded)
        done.callbacks.append(lambda _: self._shards[number].put(records))
        return done


class _Shard:
    """One shard of the stream, and the function that is handed its records."""

    def __init__(self, env: simpy.Environment, log: EventLog) -> None:
        self._env, self._log = env, log
        self._records: deque[_Records] = deque()
        self._woken = env.event()
        env.process(self._follow())

    def put(self, records: _Records) -> None:
        """Take note of what was appended."""
        self._records.append(records)
        if not self._woken.triggered:
            self._woken.succeed()

    def _follow(self) -> Process:
        while True:
            if not self._records:
                self._woken = self._env.event()
                yield self._woken
                yield self._env.timeout(POLL_SECONDS / 2)
            if sum(records.blocks for records in self._records) < STREAM_BATCH:
                yield self._env.timeout(STREAM_WINDOW_SECONDS)
            batch = self._take_batch()
            with self._log.commit_turn.request() as turn:
                yield turn
                yield self._env.timeout(FUNCTION_SECONDS)
            self._log.commits += 1
            for records in batch:
                records.on_folded()

    def _take_batch(self) -> list[_Records]:
        batch, count = [], 0.0
        while self._records and count < STREAM_BATCH:
            batch.append(self._records.popleft())
            count += batch[-1].blocks
        return batch
