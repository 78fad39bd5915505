"""What becomes of large orchestrations in a new table: simulations by AWS's limits and the pauses of our code."""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import pytest

from background_jobs.aws.throttling import _LONGEST_PAUSE
from background_jobs.aws.transactions import wait_before_retry
from background_jobs.control_plane.stream import EVENTS_AT_ONCE
from background_jobs.core.events import PARTITION_SIZE
from background_jobs.core.limits import APPEND_SECONDS, CONTAINER_SECONDS, STREAM_BATCH, STREAM_WINDOW_SECONDS
from background_jobs.core.planning.blocks_written import FASTEST_INSTANCE, block_bytes

NEW_TABLE: Final = 4_000
"""Write units a second."""
SHARDS: Final = 4
CALL_SECONDS: Final = 0.008
COMMIT_SECONDS: Final = 0.03
"""One transaction of the read model; those of one orchestration come one after the other."""
EVENT_SECONDS: Final = 30e-6
"""Unpacking and folding one event."""
Pause = Callable[[int], float | None]
"""Takes the number of tries so far; returns the seconds before the next, or None to give up."""


class Appended(NamedTuple):
    """A block in the log."""

    at: float
    partition: int
    events: int


@dataclass
class Table:
    """A token bucket of write units, without credit for quiet times."""

    units_per_second: float
    free_at: float = 0.0

    def takes(self, units: int, now: float) -> bool:
        """Take so many units if the table has them."""
        if self.free_at > now:
            return False
        self.free_at = max(self.free_at, now - 1 / self.units_per_second) + units / self.units_per_second
        return True


@dataclass
class Fleet:
    """Containers that work through equal shares, and append what has gathered, one block after the other."""

    containers: int
    instances: int
    instance_seconds: float
    blocks: list[Appended] = field(default_factory=list)
    died: int = 0

    def run(self, table: Table, pause: Pause) -> None:
        """Work until each container has appended everything, or has given up."""
        share = self.instances // self.containers
        due = [(APPEND_SECONDS, number, 0, 0) for number in range(self.containers)]
        while due:
            now, container, done, tries = heapq.heappop(due)
            # While a block waits, the instances go on, up to the end of the partition that a block has to keep to.
            ended = min(share, int(now / self.instance_seconds))
            count = min(ended - done, PARTITION_SIZE - done % PARTITION_SIZE)
            if table.takes(-(-block_bytes(count, 4) // 1024), now):
                first = container * share + done
                self.blocks.append(Appended(now, first // PARTITION_SIZE, count + 1))
                if done + count < share:
                    following = max(now + CALL_SECONDS, (done + count + 1) * self.instance_seconds)
                    behind = ended - done - count >= PARTITION_SIZE
                    heapq.heappush(
                        due, (following + (0 if behind else APPEND_SECONDS), container, done + count, 0)
                    )
            elif (seconds := pause(tries)) is None or now > CONTAINER_SECONDS:
                self.died += 1
            else:
                heapq.heappush(due, (now + CALL_SECONDS + seconds, container, done, tries + 1))


@pytest.fixture
def pause(monkeypatch: pytest.MonkeyPatch) -> Pause:
    """Return the pauses that the log makes, in the simulation's time."""
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    monkeypatch.setattr("random.random", random.Random(11).random)

    def pause(tries: int) -> float:
        wait_before_retry(min(tries, _LONGEST_PAUSE))
        return pauses.pop()

    return pause


@pytest.mark.parametrize("units_per_second", [NEW_TABLE, NEW_TABLE // 10])
def test_a_million_no_ops_in_a_hundred_containers_all_complete_in_a_new_table(
    pause: Pause, units_per_second: int
) -> None:
    fleet = Fleet(containers=100, instances=1_000_000, instance_seconds=FASTEST_INSTANCE)
    fleet.run(Table(units_per_second), pause)
    assert fleet.died == 0
    # each block also has a start
    assert sum(block.events - 1 for block in fleet.blocks) == 1_000_000


def test_containers_that_gave_up_after_some_seconds_would_die_in_the_same_table(pause: Pause) -> None:
    fleet = Fleet(containers=100, instances=1_000_000, instance_seconds=FASTEST_INSTANCE)
    fleet.run(Table(NEW_TABLE // 10), lambda tries: pause(tries) if tries < 6 else None)
    assert fleet.died > 10


def completed_at(blocks: list[Appended]) -> float:
    """Return when the JobCompletedEvent is published, with a function for each shard of the stream."""
    shards: list[list[Appended]] = [[] for _ in range(SHARDS)]
    draw = random.Random(3)
    shard_of = {partition: draw.randrange(SHARDS) for partition in sorted({b.partition for b in blocks})}
    for block in blocks:
        shards[shard_of[block.partition]].append(block)
    ready = [(shard[0].at + STREAM_WINDOW_SECONDS, number, 0) for number, shard in enumerate(shards) if shard]
    heapq.heapify(ready)
    committed = 0.0
    while ready:
        now, number, first = heapq.heappop(ready)
        batch = [block for block in shards[number][first : first + STREAM_BATCH] if block.at <= now]
        events = sum(block.events for block in batch)
        commits = -(-events // EVENTS_AT_ONCE)
        # folding is done side by side, and the commits of all shards one after the other
        committed = max(committed, now + events * EVENT_SECONDS) + commits * COMMIT_SECONDS
        following = first + len(batch)
        if following < len(shards[number]):
            gathered = max(committed, shards[number][following].at + STREAM_WINDOW_SECONDS)
            behind = following + STREAM_BATCH <= len(shards[number]) and (
                shards[number][following + STREAM_BATCH - 1].at <= committed
            )
            heapq.heappush(ready, (committed if behind else gathered, number, following))
    # the completion is a record of the stream, too
    return committed + STREAM_WINDOW_SECONDS + COMMIT_SECONDS


@pytest.mark.parametrize(("instances", "seconds"), [(200_000, 1.0), (1_000_000, 0.1), (50_000, 10.0)])
def test_a_completion_is_published_within_five_seconds_of_the_last_outcome_of_a_thousand_containers(
    pause: Pause, instances: int, seconds: float
) -> None:
    fleet = Fleet(containers=1_000, instances=instances, instance_seconds=seconds)
    fleet.run(Table(NEW_TABLE), pause)
    assert fleet.died == 0
    last = max(block.at for block in fleet.blocks)
    assert completed_at(sorted(fleet.blocks)) - last < 5
