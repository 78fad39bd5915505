"""Why instances errored, as they do: of each cause the first few, for a thousand alike tell nothing more."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from background_jobs.core.events import JobErrored
from background_jobs.core.statuses import ERRORED
from background_jobs.core.views.causes import normalised
from background_jobs.orchestration_service import Orchestration, Update
from background_jobs.orchestration_service.results import read_outcome_events

_OF_EACH_CAUSE: Final = 3
_READ_AT_ONCE: Final = 250


class FailureReporter:
    """Finds what of an update's failures is worth telling."""

    def __init__(self, orchestration: Orchestration) -> None:
        self._orchestration = orchestration
        self._told: Counter[tuple[str, str]] = Counter()

    def among(self, update: Update) -> Iterator[JobErrored]:
        """Yield the failures of *update*, up to three of each cause since watching began."""
        errored = sorted({move.index for move in update.transitions if move.rank == ERRORED})
        for event in read_outcome_events(
            self._orchestration.id, errored[:_READ_AT_ONCE], self._orchestration.stores
        ):
            if isinstance(event, JobErrored):
                cause = event.error.type, normalised(event.error.message)
                self._told[cause] += 1
                if self._told[cause] <= _OF_EACH_CAUSE:
                    yield event
