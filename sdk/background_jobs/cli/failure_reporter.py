"""Why instances errored, while it happens: only the first few failures of each cause."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from background_jobs.core.causes import normalise_message
from background_jobs.core.events import JobErrored
from background_jobs.core.statuses import ERRORED
from background_jobs.orchestration_service import Orchestration, Update

_OF_EACH_CAUSE: Final = 3
_READ_AT_ONCE: Final = 250


class FailureReporter:
    """Selects the failures of updates that are worth printing; a thousand alike say nothing more."""

    def __init__(self, orchestration: Orchestration) -> None:
        self._orchestration = orchestration
        self._reported: Counter[tuple[str, str]] = Counter()

    def select(self, update: Update) -> Iterator[JobErrored]:
        """Yield the failures of *update*, up to three of each cause since watching began."""
        errored = sorted(
            {transition.index for transition in update.transitions if transition.rank == ERRORED}
        )
        for event in self._orchestration.errors(errored[:_READ_AT_ONCE]):
            cause = event.error.type, normalise_message(event.error.message)
            self._reported[cause] += 1
            if self._reported[cause] <= _OF_EACH_CAUSE:
                yield event
