"""Where events are in the log: all partition keys begin with the service, so that IAM can tell them apart."""

from typing import Final, NamedTuple

from background_jobs.core.ranges import EqualParts

PARTITION_SIZE: Final = 250
"""Job instances per log partition: far below DynamoDB's 1,000 writes a second, and read in one query."""
LOG_PARTITIONS: Final = EqualParts(PARTITION_SIZE)
"""How instances are cut into log partitions."""
POINTER_SORT: Final = "service"
"""The sort key of the item that says to which service an orchestration belongs; the attribute, too."""
_POINTER: Final = "ORCHESTRATION#"
_SCHEDULE: Final = "SCHEDULE#"
# Names of services are lower-case, so no partition of a service begins with one of these.


class EventKey(NamedTuple):
    """Where an item is in the log; its identity."""

    partition: str
    sort: str


def log_partition(service: str, orchestration_id: str) -> str:
    """Return the log partition of what happens to an orchestration as a whole.

    >>> log_partition("billing", "7c0e")
    'billing#7c0e'
    """
    return f"{service}#{orchestration_id}"


def job_partition(service: str, orchestration_id: str, index: int) -> str:
    """Return the log partition of job instance *index*.

    >>> job_partition("billing", "7c0e", 251)
    'billing#7c0e#jobs#00001'
    """
    return f"{log_partition(service, orchestration_id)}#jobs#{LOG_PARTITIONS.number(index):05d}"


def job_partitions(service: str, orchestration_id: str, first: int, last: int) -> list[str]:
    """Return the log partitions of the instances *first* to *last*; none where *last* is before *first*."""
    starts = range(first - first % PARTITION_SIZE, last + 1, PARTITION_SIZE) if first <= last else ()
    return [job_partition(service, orchestration_id, start) for start in starts]


def orchestration_of_partition(partition: str) -> tuple[str, str] | None:
    """Return the service and the orchestration id of a log partition; None where it is of no orchestration.

    >>> orchestration_of_partition("billing#7c0e#jobs#00001")
    ('billing', '7c0e')
    >>> orchestration_of_partition("SCHEDULE#nightly")
    """
    service, _, rest = partition.partition("#")
    if not rest or partition.startswith((_POINTER, _SCHEDULE)):
        return None
    return service, rest.partition("#")[0]


def pointer_key(orchestration_id: str) -> EventKey:
    """Return the key of the item that says to which service an orchestration belongs."""
    return EventKey(f"{_POINTER}{orchestration_id}", POINTER_SORT)


def schedule_partition(name: str) -> str:
    """Return the log partition of a schedule's history.

    >>> schedule_partition("nightly")
    'SCHEDULE#nightly'
    """
    return f"{_SCHEDULE}{name}"
