"""What earlier launches of a container left in the log: outcomes, failures, and what may have killed them."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Self

from background_jobs.aws.event_log import EventLog
from background_jobs.core.errors import EventConflict
from background_jobs.core.events import ContainerStarted, FailedAttempt, JobAttemptFailed

LOST: Final = "ContainerLost"
"""The type of error of an instance that ended its process."""

LOSSES_OF_A_POISON: Final = 2
"""How many processes an instance may end before it is left out."""
_UNTRACED_INSTANCES: Final = 2_500
"""More instances than can have run without a trace in the log: an EventWriter holds at most 2,000 events."""


@dataclass(slots=True)
class EarlierAttempts:
    """The attempts of one instance so far."""

    starts: set[int] = field(default_factory=set)
    """The numbers of the attempts that began."""
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
        unended = self.starts - {failure.attempt for failure in self.failures}
        return len(unended) + sum(failure.error.type == LOST for failure in self.failures)

    @property
    def is_poison(self) -> bool:
        """Tell whether the instance ended its process so often that it is to be left out."""
        return self.losses >= LOSSES_OF_A_POISON

    @property
    def retry_at(self) -> datetime | None:
        """Return when the next attempt is due; None for now."""
        return max((failure.retry_at for failure in self.failures), default=None)

    def last_failures(self) -> tuple[FailedAttempt, ...]:
        """Return the last ten failed attempts as an outcome keeps them, oldest first."""
        return tuple(failure.summarize() for failure in self.failures[-10:])


class EarlierLaunches:
    """What is known of a share when a container takes it up, and what this container adds to that."""

    def __init__(
        self, *, launch: int = 0, careful: bool = False, unfinished: list[int] | None = None
    ) -> None:
        self.launch = launch
        """How many processes took up this share before."""
        self._careful = careful
        self._unfinished = None if unfinished is None else set(unfinished)
        self._attempts: defaultdict[int, EarlierAttempts] = defaultdict(EarlierAttempts)

    @classmethod
    def read(cls, event_log: EventLog, first_launch: ContainerStarted, *, culprit_is_known: bool) -> Self:
        """Append that this container takes up its share, and read what earlier launches did.

        *first_launch* is the event of a first launch; a later launch appends it with its own number.
        """
        launch = _append_launch(event_log, first_launch)
        if not launch:
            return cls()
        part = (first_launch.orchestration_id, first_launch.first, first_launch.last)
        earlier = cls(
            launch=launch, careful=not culprit_is_known, unfinished=event_log.find_unfinished(*part)
        )
        for start in event_log.read_starts(*part):
            earlier.attempts(start.index).starts.add(start.attempt)
        for failure in event_log.read_failed_attempts(*part):
            earlier.attempts(failure.index).failures.append(failure)
        return earlier

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
        return self.attempts(index).losses > 0 or (self._careful and begun < _UNTRACED_INSTANCES)


def _append_launch(event_log: EventLog, first_launch: ContainerStarted) -> int:
    """Append the launch under the first free number, and return that number."""
    launch = 0
    while True:
        try:
            event_log.append(first_launch.model_copy(update={"launch": launch}))
        except EventConflict:
            launch += 1
        else:
            return launch
