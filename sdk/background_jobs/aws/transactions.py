"""Why DynamoDB cancels a transaction, and how long to wait before the next try."""

import random
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

TAKEN: Final = "ConditionalCheckFailed"
CONFLICT: Final = "TransactionConflict"
"""Somebody else reads or writes one of the items at this moment."""
PASSING: Final = frozenset({CONFLICT, "ThrottlingError", "ProvisionedThroughputExceeded"})
"""What another try may be spared; botocore does not try again."""
ATTEMPTS: Final = 8


def cancellation_codes(cancelled: "ClientError") -> list[str]:
    """Return the reason for each item of the transaction, ``None`` as a text where that is not to blame."""
    reasons = cancelled.response.get("CancellationReasons", [])
    return [str(reason.get("Code")) for reason in reasons]


def pause(attempt: int) -> None:
    """Wait before the try after *attempt*, from 0: up to some seconds in all, with full jitter."""
    time.sleep(random.random() * 0.05 * 2**attempt)  # noqa: S311 -- jitter, not a secret
