"""Reading the outcomes of an orchestration while it runs, so that little is left to read at its end."""

from collections.abc import Iterator
from typing import Final

from background_jobs.aws.stores import Stores
from background_jobs.core.events import LOG_PARTITIONS, OrchestrationStarted
from background_jobs.core.outcomes import Failure, Success
from background_jobs.core.read_model import Summary
from background_jobs.core.statuses import Status
from background_jobs.core.views.instances import STATES, indices_in_states
from background_jobs.orchestration_service.outcomes import outcomes_from_events
from background_jobs.orchestration_service.stored_params import ParamsCopy

_FEWEST: Final = 2_500
"""New outcomes for which it is worth to look which partitions of the log have ended."""
_LOOKS: Final = 10
"""Looks at all statuses, at most, until the end."""
_FINAL: Final = STATES[Status.COMPLETED] | STATES[Status.ERRORED]
Outcome = Success | Failure


class EndedOutcomes:
    """Reads each partition of the log once, as soon as all its instances have their outcomes."""

    def __init__(self, started: OrchestrationStarted, stores: Stores) -> None:
        self._started = started
        self._stores = stores
        self._params = ParamsCopy(started, stores.payloads)
        self._by_partition: dict[int, list[Outcome]] = {}
        self._next_look = self._step = max(_FEWEST, started.total // _LOOKS)

    def read_ahead(self, summary: Summary) -> None:
        """Read what has ended by now, if that is worth it. Raises PayloadNotFound."""
        final = summary.completed + summary.errored
        if final >= self._next_look and not summary.all_final:
            self._next_look = final + self._step
            self._read(self._ended_partitions())

    def read_all(self) -> Iterator[Outcome]:
        """Yield all outcomes in the order of the params; those that were read ahead are let go meanwhile.

        Raises PayloadNotFound.
        """
        numbers = range(LOG_PARTITIONS.count(self._started.total))
        rest = self._outcomes([number for number in numbers if number not in self._by_partition])
        following = next(rest, None)
        for number in numbers:
            yield from self._by_partition.pop(number, ())
            while following is not None and LOG_PARTITIONS.number(following.index) == number:
                yield following
                following = next(rest, None)

    def close(self) -> None:
        """Drop the copy of the params."""
        self._params.close()

    def _ended_partitions(self) -> list[int]:
        """Return the partitions that were not read yet, and of which every instance is final."""
        model = self._stores.read_model.for_service(self._started.service).read_snapshot(
            self._started.orchestration_id
        )
        total = self._started.total
        groups = LOG_PARTITIONS.group(indices_in_states(model, _FINAL))
        return [
            number
            for indices in groups
            if len(indices) == min(LOG_PARTITIONS.size, total - indices[0])
            and (number := LOG_PARTITIONS.number(indices[0])) not in self._by_partition
        ]

    def _read(self, partitions: list[int]) -> None:
        for outcome in self._outcomes(partitions):
            self._by_partition.setdefault(LOG_PARTITIONS.number(outcome.index), []).append(outcome)

    def _outcomes(self, partitions: list[int]) -> Iterator[Outcome]:
        indices = (
            index
            for number in partitions
            for index in range(LOG_PARTITIONS.index(number), LOG_PARTITIONS.index(number + 1))
            if index < self._started.total
        )
        event_log = self._stores.event_log.for_service(self._started.service)
        events = event_log.read_outcomes_at(self._started.orchestration_id, indices)
        numbered = ((event.index, event) for event in events)
        return outcomes_from_events(
            numbered, self._started, lambda event: self._params.read(event.index), self._stores
        )
