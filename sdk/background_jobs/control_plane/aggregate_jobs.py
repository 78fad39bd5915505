"""The aggregator: folds batches of the log into the read model, completes orchestrations, and publishes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import count
from typing import Final

from background_jobs.aws.event_bus import EventBus
from background_jobs.aws.event_log import EventLog
from background_jobs.aws.read_model import CHUNKS_PER_COMMIT, ReadModelConflict, ReadModelStore
from background_jobs.aws.transactions import is_throttled, wait_before_retry
from background_jobs.core.completion import JobCompletedEvent, decide_completion
from background_jobs.core.errors import EventConflict
from background_jobs.core.events import (
    Event,
    JobProgressed,
    OrchestrationCancelled,
    OrchestrationCompleted,
    OrchestrationStalled,
)
from background_jobs.core.fold import ChunkNumbers, fold
from background_jobs.core.metrics import Measurement, measure
from background_jobs.core.read_model import Summary

_ADVANCES_PER_COMMIT: Final = 750
"""Reports of progress, whose messages may take 320 bytes each: an item of the feed holds less than 400 KB."""
_ATTEMPTS: Final = 40
"""How often a commit is tried: about half a minute. Then others have their turn, and it comes again."""
_LONGEST_PAUSE: Final = 5
"""The attempt whose pause is the longest: up to 1.6 s."""

Meter = Callable[[Summary, Sequence[Measurement]], None]
"""Takes the summary that a commit stored, and what is measured of the commit."""


def no_meter(_summary: Summary, _measurements: Sequence[Measurement]) -> None:
    """Measure nothing."""


class Aggregator:
    """Safe to run twice, concurrently, and on any part of the log in any order."""

    def __init__(
        self,
        event_log: EventLog,
        read_model: ReadModelStore,
        bus: EventBus,
        clock: Callable[[], datetime],
        meter: Meter = no_meter,
    ) -> None:
        self._event_log = event_log
        self._read_model = read_model
        self._bus = bus
        self._clock = clock
        self._meter = meter

    def aggregate(
        self,
        service: str,
        orchestration_id: str,
        events: Sequence[Event],
        *,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        """Fold *events*, all of one orchestration, append a completion that is due, and publish events.

        A completion is only appended here. It is published when its own record comes back through the stream,
        as a cancellation is. After a crash anywhere in between, the stream delivers the same records again.
        What DynamoDB refuses for now is tried again, until *is_over* says that there is no more time.

        Raises EventNotPublished, or what AWS raised; the records are then to be delivered again.
        """
        for portion in _portions(events):
            summary = self._commit(service, orchestration_id, portion, is_over)
            complete_if_due(summary, self._event_log.for_service(service))
        for event in events:
            if isinstance(event, OrchestrationCompleted):
                self._bus.publish_completed(JobCompletedEvent.from_completion(event))
            elif isinstance(event, OrchestrationCancelled):
                self._bus.publish_cancelled(service, event)
            elif isinstance(event, OrchestrationStalled):
                self._bus.publish_stalled(event)

    def _commit(
        self, service: str, orchestration_id: str, events: Sequence[Event], is_over: Callable[[], bool]
    ) -> Summary:
        from botocore.exceptions import ClientError  # noqa: PLC0415 -- slow to import

        for attempt in count(1):
            try:
                return self._try_commit(service, orchestration_id, events)
            except (ReadModelConflict, ClientError) as refused:
                if attempt == _ATTEMPTS or is_over() or not _may_pass(refused):
                    raise
            wait_before_retry(min(attempt - 1, _LONGEST_PAUSE))
        raise AssertionError("count() has no end")

    def _try_commit(self, service: str, orchestration_id: str, events: Sequence[Event]) -> Summary:
        read_model = self._read_model.for_service(service)
        before = read_model.read_chunks(orchestration_id, ChunkNumbers.of_events(events))
        result = fold(before, events)
        if not result.changed:
            return result.model.summary
        summary = read_model.commit(result, now := self._clock())
        self._meter(summary, list(measure(before.summary, result, events, now)))
        return summary


def complete_if_due(summary: Summary, event_log: EventLog) -> None:
    """Append the completion of an orchestration whose instances all have their outcomes."""
    completion = decide_completion(summary)
    if completion is not None and not summary.done:
        # Another aggregator may have appended it before a late cancellation was folded; the first one counts.
        with suppress(EventConflict):
            event_log.append(completion)


def _may_pass(refused: Exception) -> bool:
    return isinstance(refused, ReadModelConflict) or is_throttled(refused)


def _portions(events: Sequence[Event]) -> Iterator[Sequence[Event]]:
    """Cut *events* into portions that one transaction can hold: their chunks, and their item of the feed."""
    advances = sum(isinstance(event, JobProgressed) for event in events)
    if ChunkNumbers.of_events(events).total <= CHUNKS_PER_COMMIT and advances <= _ADVANCES_PER_COMMIT:
        yield events
        return
    half = len(events) // 2
    yield from _portions(events[:half])
    yield from _portions(events[half:])
