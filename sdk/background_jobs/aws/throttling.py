"""Waiting until AWS takes a call that it refuses for now."""

from collections.abc import Callable
from itertools import count
from typing import Final, TypeVar

from background_jobs.aws.transactions import is_throttled, wait_before_retry

_T = TypeVar("_T")
_LONGEST_PAUSE: Final = 9
"""The attempt whose pause is the longest: up to 25 s."""


def outlast_throttling(call: Callable[[], _T], is_over: Callable[[], bool]) -> _T:
    """Return what *call* returns, which is made again while AWS throttles it and *is_over* says False."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 -- slow to import

    for attempt in count():
        try:
            return call()
        except ClientError as error:
            if is_over() or not (is_throttled(error) or error.response["Error"].get("Code") == "SlowDown"):
                raise
        wait_before_retry(min(attempt, _LONGEST_PAUSE))
    raise AssertionError("count() has no end")
