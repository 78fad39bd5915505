"""The keys of the read model: each begins with the service, as those of the log do.

The summary, every chunk and the feed have a partition of their own each, because a partition takes 1,000
write units a second, and all of them are written with every commit.
"""

from typing import Final, NamedTuple

from background_jobs.core.events import log_partition

SUMMARY: Final = "summary"
"""The sort key of every summary."""
_CHUNK: Final = "chunk"


class ReadModelKey(NamedTuple):
    """Where an item of the read model is."""

    partition: str
    sort: str


def summary_key(service: str, orchestration_id: str) -> ReadModelKey:
    """Return the key of the summary of an orchestration.

    >>> summary_key("billing", "7c0e")
    ReadModelKey(partition='billing#7c0e', sort='summary')
    """
    return ReadModelKey(log_partition(service, orchestration_id), SUMMARY)


def service_of_key(partition: str) -> str:
    """Return the service to which a partition of the read model belongs.

    >>> service_of_key("billing#7c0e#feed")
    'billing'
    """
    return partition.partition("#")[0]


def orchestration_of_key(partition: str) -> str:
    """Return the id of the orchestration to which a partition of the read model belongs.

    >>> orchestration_of_key("billing#7c0e#feed")
    '7c0e'
    """
    return partition.split("#", maxsplit=2)[1]


def statuses_key(service: str, orchestration_id: str, number: int) -> ReadModelKey:
    """Return the key of the chunk of statuses with this number.

    >>> statuses_key("billing", "7c0e", 3).partition
    'billing#7c0e#statuses#00003'
    """
    return ReadModelKey(f"{log_partition(service, orchestration_id)}#statuses#{number:05d}", _CHUNK)


def progress_key(service: str, orchestration_id: str, number: int) -> ReadModelKey:
    """Return the key of the chunk of progress with this number."""
    return ReadModelKey(f"{log_partition(service, orchestration_id)}#progress#{number:05d}", _CHUNK)


def feed_partition(service: str, orchestration_id: str) -> str:
    """Return the partition of the feed.

    >>> feed_partition("billing", "7c0e")
    'billing#7c0e#feed'
    """
    return f"{log_partition(service, orchestration_id)}#feed"


def feed_key(service: str, orchestration_id: str, version: int) -> ReadModelKey:
    """Return the key of what the commit of *version* changed."""
    return ReadModelKey(feed_partition(service, orchestration_id), feed_sort(version))


def feed_sort(version: int) -> str:
    """Return the sort key of *version* in a feed."""
    return f"{version:08d}"
