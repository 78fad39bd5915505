"""What earlier launches of a container left in the log: outcomes, failures, and what may have killed them."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple, Self

from background_jobs.core.blocks import InstanceRange
from background_jobs.core.blocks import unfinished as find_unfinished
from background_jobs.core.events import ClaimAnnounced, FailedAttempt, JobAttemptFailed, JobEvent, JobStarted
from background_jobs.worker.event_writer import UNWRITTEN_EVENTS
from background_jobs.worker.owned_ranges import OwnedRanges

LOST: Final = "ContainerLost"
"""The type of error of an instance that ended its process."""
SUSPECTED: Final = "ProcessLost"
"""That of an instance that ran with others when their process ended."""
INTERRUPTED: Final = "Interrupted"
"""That of an attempt that was ended from outside."""

LOSSES_OF_A_POISON: Final = 2
"""How many processes an instance may end before it is left out."""
_UNTRACED_INSTANCES: Final = UNWRITTEN_EVENTS + 500
"""More instances than can have run without a trace in the log."""


@dataclass(slots=True)
class EarlierAttempts:
    """The attempts of one instance so far."""

    starts: dict[int, int] = field(default_factory=dict)
    """The attempts that began, by number, each with the launch in which it did."""
    failures: list[JobAttemptFailed] = field(default_factory=list)

    @property
    def last_number(self) -> int:
        """Return the number of the last attempt; 0 before the first."""
        return max([*self.starts, *(failure.attempt for failure in self.failures)], default=0)

    @property
    def counted_failures(self) -> int:
        """Return how many attempts the job itself failed; these are what a Retry counts."""
        return sum(failure.counts for failure in self.failures)

    @property
    def losses(self) -> int:
        """Return how many attempts ended with their process: reported as lost, or begun and never ended."""
        if not self.starts and not self.failures:
            return 0
        return len(self.unended()) + sum(failure.error.type == LOST for failure in self.failures)

    def unended(self) -> set[int]:
        """Return the attempts that began and never ended."""
        return self.starts.keys() - {failure.attempt for failure in self.failures}

    @property
    def is_suspect(self) -> bool:
        """Tell whether the instance may end its process, or its container."""
        if not self.starts and not self.failures:
            return False
        return self.losses > 0 or self._is_suspected()

    def runs_alone(self, *, has_own_process: bool) -> bool:
        """Tell whether nothing is to run beside the instance, for it may end that, too."""
        if not has_own_process or not self.is_suspect:
            return self.is_suspect
        return bool(self.unended()) or self._is_suspected()

    def _is_suspected(self) -> bool:
        """Tell whether a process ended around the instance, and it has not ended by itself since."""
        last = max(
            (failure.attempt for failure in self.failures if failure.error.type == SUSPECTED), default=0
        )
        return last > 0 and not any(failure.counts and failure.attempt > last for failure in self.failures)

    @property
    def is_poison(self) -> bool:
        """Tell whether the instance ended its process so often that it is to be left out."""
        return self.losses >= LOSSES_OF_A_POISON

    def seconds_to_retry(self, now: datetime) -> float:
        """Return how long the next attempt is to wait: no longer than was decided, whatever clocks say."""
        last = max(self.failures, key=lambda failure: failure.retry_at, default=None)
        if last is None:
            return 0.0
        return min(last.retry_at - now, last.retry_at - last.at).total_seconds()

    def last_failures(self) -> tuple[FailedAttempt, ...]:
        """Return the last ten failed attempts as an outcome keeps them, oldest first."""
        return tuple(failure.summarize() for failure in self.failures[-10:])


class _History(NamedTuple):
    """What the log has of the instances of one range that have no outcome."""

    unfinished: list[int]
    starts: list[JobStarted]
    failures: list[JobAttemptFailed]
    announced: list[ClaimAnnounced]

    @classmethod
    def of(cls, instances: InstanceRange, events: list[JobEvent]) -> Self:
        left = find_unfinished(instances, events)
        indices = set(left)
        of_left = [event for event in events if event.index in indices]
        return cls(
            left,
            [event for event in of_left if isinstance(event, JobStarted)],
            [event for event in of_left if isinstance(event, JobAttemptFailed)],
            [event for event in events if isinstance(event, ClaimAnnounced)],
        )


class EarlierLaunches:
    """What is known of a share when a container takes it up, and what this container adds to that."""

    def __init__(self, *, launch: int = 0, careful: bool = False, unfinished: set[int] | None = None) -> None:
        self.launch = launch
        """How many processes took up this share before."""
        self._careful = careful
        self._unfinished = unfinished
        self._attempts: defaultdict[int, EarlierAttempts] = defaultdict(EarlierAttempts)

    @classmethod
    def take_over(cls, ranges: OwnedRanges, launch: int, *, culprit_is_known: bool) -> Self:
        """Take over the ranges of earlier launches, and what these claimed, and return what they did.

        Raises RangeLost where a later launch has begun.
        """
        histories = list(ranges.take_over(_History.of))
        announced = [claim for history in histories for claim in history.announced]
        histories += ranges.take_over_claimed(announced, _History.of)
        unfinished = {index for history in histories for index in history.unfinished}
        earlier = cls(launch=launch, careful=not culprit_is_known, unfinished=unfinished)
        for history in histories:
            for start in history.starts:
                earlier.attempts(start.index).starts[start.attempt] = start.launch
            for failure in history.failures:
                earlier.attempts(failure.index).failures.append(failure)
        return earlier

    def forgive(self, launch: int, blamed: Collection[tuple[int, int]]) -> None:
        """Forget the attempts of *launch* that had ended, though the log does not say so.

        *blamed* are those that ran to the last, each an index and the number of an attempt.
        """
        for index, attempts in self._attempts.items():
            for number in attempts.unended():
                if attempts.starts[number] == launch and (index, number) not in blamed:
                    del attempts.starts[number]

    def lost_in_company(self) -> Iterator[tuple[int, int]]:
        """Yield the index and number of each attempt that was lost with others, of which one is to blame."""
        by_launch: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        for index, number in self.lost():
            by_launch[self._attempts[index].starts[number]].append((index, number))
        for lost in by_launch.values():
            if len(lost) > 1:
                yield from lost

    def lost(self) -> Iterator[tuple[int, int]]:
        """Yield the index and number of each attempt that began and never ended."""
        for index, attempts in self._attempts.items():
            for number in attempts.unended():
                yield index, number

    def attempts(self, index: int) -> EarlierAttempts:
        """Return the attempts of one instance so far; the caller may add to them."""
        return self._attempts[index]

    def finish(self, index: int) -> None:
        """Drop the attempts of an instance that has its outcome."""
        self._attempts.pop(index, None)
        if self._unfinished is not None:
            self._unfinished.discard(index)

    def is_unfinished(self, index: int) -> bool:
        """Tell whether instance *index* has no outcome, as far as this process knows."""
        return self._unfinished is None or index in self._unfinished

    def is_suspect(self, index: int, *, begun: int) -> bool:
        """Tell whether instance *index* may end its process, where *begun* instances began in this launch.

        An instance that ended a process before is suspect. After a loss whose cause nobody knows, so is
        every instance that may have run in the lost process without a trace in the log.
        """
        return self.attempts(index).is_suspect or (self._careful and begun < _UNTRACED_INSTANCES)
