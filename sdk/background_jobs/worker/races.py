"""Attempts that may run in two containers at once: the first outcome counts, and the other is stopped."""

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from threading import Event
from typing import cast

from background_jobs.aws.block_log import BlockLog
from background_jobs.core.blocks import Block, InstanceRange
from background_jobs.core.events import JobCompleted, JobEvent
from background_jobs.core.hedging import is_over
from background_jobs.worker.instance import Attempt, AttemptLimit, InstanceRunner
from background_jobs.worker.interruptions import MainThreadInterruption

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Race:
    instances: InstanceRange
    index: int
    sequence: int
    """The number of the block from which on the log is read."""
    interruption: MainThreadInterruption
    cancelled: Event
    lost: Event = field(default_factory=Event)

    def is_set(self) -> bool:
        """Tell the job that it is to end: its orchestration was cancelled, or its outcome is there."""
        return self.lost.is_set() or self.cancelled.is_set()


class Races:
    """Runs attempts of instances of which another container may append the outcome."""

    def __init__(self, block_log: BlockLog, cancelled: Event) -> None:
        self._block_log = block_log
        self._cancelled = cancelled
        self._race: _Race | None = None
        self._lock = threading.Lock()
        self.lost = False
        """Whether somebody has found an outcome of the instance of the last attempt while that ran."""

    def run(
        self,
        runner: InstanceRunner,
        attempt: Attempt,
        limit: AttemptLimit,
        instances: InstanceRange,
        sequence: int,
    ) -> JobEvent:
        """Run an attempt of an instance of a range whose blocks are known up to *sequence*."""
        interruption = MainThreadInterruption(limit.seconds)
        race = _Race(instances, attempt.context.index, sequence, interruption, self._cancelled)
        context = replace(attempt.context, _cancelled=cast("Event", race))
        with self._lock:
            self._race = race
        try:
            return runner.run(replace(attempt, context=context), limit, interruption)
        finally:
            with self._lock:
                self._race = None
            self.lost = race.lost.is_set()

    def look(self) -> None:
        """Stop the attempt that runs if its instance has an outcome; another thread does so now and then."""
        race = self._race
        if race is None:
            return
        blocks = list(self._block_log.read(race.instances, race.sequence))
        if is_over(race.instances, race.index, blocks):
            if not race.lost.is_set():
                winner = _describe_winner(race.index, blocks)
                _log.info("Instance %d: %s was done first; this attempt ends", race.index, winner)
            race.lost.set()
            with self._lock:
                if self._race is race:
                    race.interruption.send()


def _describe_winner(index: int, blocks: Iterable[Block]) -> str:
    """Return in words who appended the outcome of instance *index* that *blocks* have."""
    events = (event for block in blocks for event in block.readable_events())
    outcomes = (event for event in events if isinstance(event, JobCompleted) and event.index == index)
    share = next((outcome.hedged_by for outcome in outcomes), None)
    return "another attempt" if share is None else f"a copy in share {share}"
