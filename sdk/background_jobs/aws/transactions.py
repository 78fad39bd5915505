"""Why DynamoDB cancels a transaction, and how long to wait before the next try."""

import random
import time
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

CONDITION_FAILED: Final = "ConditionalCheckFailed"
"""Another item already holds the key."""
TRANSACTION_CONFLICT: Final = "TransactionConflict"
"""Somebody else reads or writes one of the items at this moment."""
RETRYABLE: Final = frozenset({TRANSACTION_CONFLICT, "ThrottlingError", "ProvisionedThroughputExceeded"})
"""Reasons that may not hold at the next try; botocore does not try a cancelled transaction again."""
THROTTLED: Final = frozenset({
    "InternalServerError",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
})  # fmt: skip
"""Errors that pass, however long it takes."""
MAX_ATTEMPTS: Final = 8


def cancellation_reasons(cancelled: "ClientError") -> list[str]:
    """Return the reason for each item of the transaction; the text ``None`` for an item that is no reason."""
    reasons = cancelled.response.get("CancellationReasons", [])
    return [str(reason.get("Code")) for reason in reasons]


def wait_before_retry(attempt: int) -> None:
    """Wait before the try after *attempt*, from 0: up to some seconds in all, with full jitter."""
    time.sleep(random.random() * 0.05 * 2**attempt)  # noqa: S311 -- jitter, not a secret


def is_throttled(error: Exception) -> bool:
    """Tell whether DynamoDB refuses a call only for now: it may accept the same call later."""
    code = getattr(error, "response", {}).get("Error", {}).get("Code")
    if code != "TransactionCanceledException":
        return code in THROTTLED
    reasons = set(cancellation_reasons(cast("ClientError", error))) - {"None"}
    return bool(reasons) and reasons <= RETRYABLE
