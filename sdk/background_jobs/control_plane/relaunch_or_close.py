"""The decision whether a share that has lost its containers is launched again, or closed."""

from collections.abc import Callable
from typing import Final, NamedTuple

from background_jobs.aws.stores import Stores
from background_jobs.control_plane.close_unfinished import CloseRequest, close_unfinished, readable_events
from background_jobs.core.blocks import ranges_of_share, unfinished
from background_jobs.core.ownership import without_gaps
from background_jobs.core.ranges import InclusiveRange
from background_jobs.core.task_failure import LOST, TIMED_OUT, task_failure

_LAUNCHED: Final = (LOST, TIMED_OUT)


class Closed(NamedTuple):
    """What became of a request."""

    closed: int
    """How many instances were given an outcome."""
    left: int
    """How many have none, because their share is to be launched again."""


def relaunch_or_close(
    request: CloseRequest, stores: Stores, is_over: Callable[[], bool] = lambda: False
) -> Closed:
    """Close what *request* names, unless it is a share that lost its containers but made progress.

    An instance that ends its container again is left out by the next launch, so that a few launches without
    any outcome say that none can be had. See `close_unfinished`.
    """
    indices, error = request.indices, request.error
    if indices is not None and error is not None and task_failure(error.error, error.cause).type in _LAUNCHED:
        left = _count_unfinished(request, indices, stores, is_over)
        if left < (len(indices.numbers()) if request.left_before is None else request.left_before):
            return Closed(0, left)
    return Closed(close_unfinished(request, stores, is_over), 0)


def _count_unfinished(
    request: CloseRequest, indices: InclusiveRange, stores: Stores, is_over: Callable[[], bool]
) -> int:
    service = request.service or stores.service_lookup.find(request.orchestration_id)
    block_log = stores.block_log.until(is_over)
    count = 0
    for part in ranges_of_share(service, request.orchestration_id, *indices):
        events = readable_events(without_gaps(block_log.read(part)))
        count += len(list(unfinished(part, events)))
    return count
