"""What AWS refuses for the moment, and waiting until it does not."""

from collections.abc import Callable
from itertools import count
from typing import Final, TypeVar

from background_jobs.aws.transactions import wait_before_retry

_T = TypeVar("_T")
THROTTLED: Final = frozenset({
    "InternalServerError",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "SlowDown",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
})  # fmt: skip
"""The codes of errors that pass, however long it takes."""
LONGEST_PAUSE: Final = 9
"""The attempt whose pause is the longest: up to 25 s."""


def outlast_throttling(call: Callable[[], _T], is_over: Callable[[], bool]) -> _T:
    """Return what *call* returns, which is made again while AWS throttles it and *is_over* says False."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 -- slow to import

    for attempt in count():
        try:
            return call()
        except ClientError as error:
            if error.response["Error"].get("Code") not in THROTTLED or is_over():
                raise
        wait_before_retry(min(attempt, LONGEST_PAUSE))
    raise AssertionError("count() has no end")
