"""The decision whether a share that has lost its containers is launched again, or closed."""

from collections.abc import Callable
from typing import Final, NamedTuple
from uuid import uuid4

from background_jobs.aws.stores import Stores
from background_jobs.control_plane.close_unfinished import (
    CloseRequest,
    close_unfinished,
    read_claimed,
    readable_events,
)
from background_jobs.core.blocks import ranges_of_share, unfinished
from background_jobs.core.events import JobCompleted, JobErrored
from background_jobs.core.ownership import without_gaps
from background_jobs.core.ranges import InclusiveRange
from background_jobs.core.task_failure import (
    LOST,
    NOTHING_SAID,
    TIMED_OUT,
    LastWords,
    TaskFailure,
    read_failure,
)

_LAUNCHED: Final = (LOST, TIMED_OUT)


class Closed(NamedTuple):
    """What became of a request."""

    closed: int
    """How many instances were given an outcome."""
    left: int
    """How many the share has not ended of all instances, because it is to be launched again; else 0.

    So the number sinks with each outcome, also of instances that the share claimed from others.
    """


def relaunch_or_close(
    request: CloseRequest,
    stores: Stores,
    is_over: Callable[[], bool] = lambda: False,
    read_last_words: Callable[[TaskFailure], LastWords] = lambda _: NOTHING_SAID,
) -> Closed:
    """Close what *request* names, unless it is a share that lost its containers but made progress.

    An instance that ends its container again is left out by the next launch, so that a few launches without
    any outcome say that none can be had. What is closed quotes what *read_last_words* finds of the container.
    See `close_unfinished`.
    """
    indices, error = request.indices, request.error
    failure = read_failure(error.error, error.cause) if error else None
    if indices is not None and failure is not None and failure.kind in _LAUNCHED:
        total, left = _count_left(request, indices, stores, is_over)
        if 0 < left < (total if request.left_before is None else request.left_before):
            return Closed(0, left)
    last_words = read_last_words(failure) if failure else NOTHING_SAID
    return Closed(close_unfinished(request, stores, is_over, last_words), 0)


def _count_left(
    request: CloseRequest, indices: InclusiveRange, stores: Stores, is_over: Callable[[], bool]
) -> tuple[int, int]:
    """Return how many instances there are, and how many of them the share has not ended.

    The second is 0 where nothing is left of the share, and of what it has claimed.
    """
    service = request.service or stores.service_lookup.find(request.orchestration_id)
    total = stores.event_log.for_service(service).read_started(request.orchestration_id).total
    block_log = stores.block_log.until(is_over)
    parts = list(ranges_of_share(service, request.orchestration_id, *indices))
    left = ended = 0
    for part in (*parts, *read_claimed(parts[0], block_log, f"closer {uuid4()}")):
        events = list(readable_events(without_gaps(block_log.read(part))))
        left += len(unfinished(part, events))
        ended += len({event.index for event in events if isinstance(event, JobCompleted | JobErrored)})
    return total, total - ended if left else 0
