"""What earlier launches of a container left behind: what is done, what failed, what may have killed them."""

from collections import defaultdict
from collections.abc import Iterable
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
_CAREFUL_INSTANCES: Final = 2_500
"""More than can have run without a trace in the log: what an EventWriter holds at most."""


@dataclass(slots=True)
class EarlierAttempts:
    """The attempts of one instance so far."""

    starts: set[int] = field(default_factory=set)
    failed: list[JobAttemptFailed] = field(default_factory=list)

    @property
    def attempts(self) -> int:
        """Return the number of the last attempt; 0 before the first."""
        return max([*self.starts, *(event.attempt for event in self.failed)], default=0)

    @property
    def failures(self) -> int:
        """Return how many attempts the job itself failed; these are what a Retry counts."""
        return sum(event.counts for event in self.failed)

    @property
    def losses(self) -> int:
        """Return how many attempts ended with their process: known as lost, or begun and never heard of."""
        silent = self.starts - {event.attempt for event in self.failed}
        return len(silent) + sum(event.error.type == LOST for event in self.failed)

    @property
    def is_poison(self) -> bool:
        """Tell whether the instance ended its process so often that it is to be left out."""
        return self.losses >= LOSSES_OF_A_POISON

    @property
    def retry_at(self) -> datetime | None:
        """Return when the next attempt is due; None for now."""
        return max((event.retry_at for event in self.failed), default=None)

    def remembered(self) -> tuple[FailedAttempt, ...]:
        """Return what an outcome remembers of the attempts before it."""
        return tuple(event.remembered() for event in self.failed[-10:])


class EarlierLaunches:
    """What is known of a share when a container takes it up."""

    def __init__(self, *, careful: bool = False, unfinished: Iterable[int] | None = None) -> None:
        self._careful = careful
        self._unfinished = None if unfinished is None else set(unfinished)
        self._past: defaultdict[int, EarlierAttempts] = defaultdict(EarlierAttempts)
        self.launch = 0
        """How many processes took up this share before."""

    @classmethod
    def read(cls, event_log: EventLog, beginning: ContainerStarted, *, culprit_is_known: bool) -> Self:
        """Take up a share, and read what happened before if this is not its first launch.

        *beginning* is what a first launch would append; a later one appends it with its own number.
        """
        launch = _take_up(event_log, beginning)
        if not launch:
            return cls()
        part = (beginning.orchestration_id, beginning.first, beginning.last)
        history = cls(careful=not culprit_is_known, unfinished=event_log.find_unfinished(*part))
        history.launch = launch
        for start in event_log.read_starts(*part):
            history.of(start.index).starts.add(start.attempt)
        for event in event_log.read_failed_attempts(*part):
            history.of(event.index).failed.append(event)
        return history

    def of(self, index: int) -> EarlierAttempts:
        """Return the past of one instance, to be written on."""
        return self._past[index]

    def finish(self, index: int) -> None:
        """Drop the past of an instance that has its outcome."""
        self._past.pop(index, None)
        if self._unfinished is not None:
            self._unfinished.discard(index)

    def is_to_run(self, index: int) -> bool:
        """Tell whether instance *index* has no outcome, as far as this process knows."""
        return self._unfinished is None or index in self._unfinished

    def is_careful(self, nth: int) -> bool:
        """Tell whether the *nth* instance (from 0) must be known to the log before it runs.

        That is so after a loss that nobody saw, until the instance is past that may have caused it.
        """
        return self._careful and nth < _CAREFUL_INSTANCES


def _take_up(event_log: EventLog, beginning: ContainerStarted) -> int:
    launch = 0
    while True:
        try:
            event_log.append(beginning.model_copy(update={"launch": launch}))
        except EventConflict:
            launch += 1
        else:
            return launch
