"""What a container does that finds nothing to claim, where the job allows it: copies of slow instances."""

import logging
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import uuid4

from background_jobs.aws.block_log import BlockLog
from background_jobs.core.events import JobCompleted, JobEvent, OrchestrationStarted
from background_jobs.core.hedging import RunningInstance, bring_in, find_running, hedge_after
from background_jobs.core.limits import (
    APPEND_SECONDS,
    CLAIM_LOOKS,
    HEDGE_INSTANCES,
    HEDGE_WAITERS,
    LOOK_SECONDS,
)
from background_jobs.core.range_progress import RangeProgress
from background_jobs.worker.claims import Claims
from background_jobs.worker.owned_ranges import OwnedRanges

_log = logging.getLogger(__name__)
_SHORTEST_WAIT_SECONDS = 0.1


class Hedges:
    """Finds instances that run for long in other containers, and brings in the outcomes of their copies.

    *wait* waits for some seconds, or less when the container is to stop.
    """

    def __init__(  # noqa: PLR0913, PLR0917 -- where to look, and how to wait
        self,
        started: OrchestrationStarted,
        share: int,
        block_log: BlockLog,
        claims: Claims,
        ranges: OwnedRanges,
        wait: Callable[[float], None],
    ) -> None:
        self._started = started
        self._share = share
        self._block_log = block_log
        self._claims = claims
        self._ranges = ranges
        self._wait = wait
        self._tried: set[int] = set()
        self._draw = random.random()  # noqa: S311 -- no secret

    def find(self, may_go_on: Callable[[], bool]) -> RunningInstance | None:
        """Return an instance that is slow, or becomes so; None where nobody need wait for that.

        Returns None also where something can be claimed by now, which `Claims.has_found` tells.
        """
        count = self._started.parallelism
        shares: Sequence[int] = random.sample(range(count), min(count, CLAIM_LOOKS))
        has_waited = False
        while may_go_on():
            found = self._claims.read_progress(shares)
            shares = [number for number, parts in found.items() if any(map(self._is_of_others, parts))]
            running = [one for number in shares for one in find_running(found[number]) if self._may_copy(one)]
            if self._claims.has_found:
                break
            if shares and not running and not has_waited:
                has_waited = True
                self._wait(2 * APPEND_SECONDS)  # what has just begun is not in the log yet
                continue
            if not self._is_needed(len(running)):
                break
            after, now = hedge_after(self._claims.seconds_seen), datetime.now(UTC)
            if slow := [one for one in running if after and (now - one.since).total_seconds() > after]:
                return self._choose(slow)
            self._wait(self._seconds_to_wait(running, now, after))
        return None

    @staticmethod
    def _seconds_to_wait(running: Sequence[RunningInstance], now: datetime, after: float | None) -> float:
        """Return how long to wait until the next of those that run is slow, or others may have ended."""
        lasted = max(((now - one.since).total_seconds() for one in running), default=0.0)
        left = max(_SHORTEST_WAIT_SECONDS, after - lasted) if after else LOOK_SECONDS
        return min(LOOK_SECONDS, left)

    def _is_of_others(self, progress: RangeProgress) -> bool:
        """Tell whether somebody else is at work, or will be, and not on what was copied here already."""
        was_tried = not self._tried.isdisjoint(progress.running)
        return progress.is_open and not was_tried and not self._ranges.owns(progress.range)

    def bring_in(self, copied: RunningInstance, event: JobEvent | None) -> bool:
        """Append the outcome of a copy, and tell whether it counts; a copy that failed has none."""
        if not isinstance(event, JobCompleted):
            return False
        outcome = event.model_copy(update={"hedged_by": self._share})
        return self._block_log.run(bring_in(copied.range, outcome, f"hedger {uuid4().hex}"))

    def _may_copy(self, running: RunningInstance) -> bool:
        return running.index not in self._tried and not self._ranges.owns(running.range)

    def _is_needed(self, at_work: int) -> bool:
        """Tell whether this container is one of the few that stay while so many others are *at_work*.

        Each has drawn a number once, so that they end one after the other as fewer are at work. Nobody waits
        for a share that has no container: that may wait for the place of this one.
        """
        started = self._started
        done = max(1, started.parallelism - at_work)
        may_tell = started.total > HEDGE_INSTANCES
        return may_tell and at_work > 0 and self._draw < HEDGE_WAITERS * at_work / done

    def _choose(self, slow: Sequence[RunningInstance]) -> RunningInstance:
        chosen = random.choice(slow)  # noqa: S311 -- no secret
        self._tried.add(chosen.index)
        _log.info("Instance %d runs for long: a copy of it runs here", chosen.index)
        return chosen
