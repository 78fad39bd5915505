"""Why a container cannot be launched for now, read from the error of AWS."""

import re
from enum import StrEnum
from typing import Final


class DelayReason(StrEnum):
    """What keeps a share from running."""

    THROTTLED = "launches are throttled"
    CAPACITY = "no capacity"
    QUOTA = "a quota is reached"
    ADDRESSES = "no free addresses"
    FAULT = "AWS answers with errors"
    IMAGE = "the image cannot be pulled"
    START = "the task cannot start"
    REFUSED = "the launch was refused"
    LOST = "the container was lost"
    MEMORY = "the container ran out of memory"


# In this order, for the message of one may name another.
_PATTERNS: Final = {
    # AWS has reported throttling as InvalidParameterException, so the message decides, not the name.
    DelayReason.THROTTLED: r"Throttl(?:ing|ed)|RequestLimitExceeded|pull rate limit"
    r"|(?i:rate exceeded|too ?many ?requests|request limit exceeded)",
    DelayReason.ADDRESSES: r"RESOURCE:ENI|InsufficientFreeAddresses|(?i:free addresses)",
    DelayReason.QUOTA: r"reached the limit on the number|above your limit|LimitExceeded|QuotaExceeded"
    r"|(?i:(?:limit|quota) exceeded)",
    DelayReason.CAPACITY: r"RESOURCE:|EMPTY CAPACITY|NO ACTIVE INSTANCES|TaskFailedToStart: AGENT"
    r"|Insufficient\w*Capacity|(?i:capacity is (?:unavailable|not available))",
    DelayReason.FAULT: r"Timeout waiting for network interface"
    r"|(?i:service unavailable|internal ?server ?error|status(?: code)?:? 5\d\d)",
    DelayReason.IMAGE: r"CannotPull|ImageNotFound|(?i:manifest unknown|pull image)",
    DelayReason.START: r"ResourceInitializationError|TaskFailedToStart|CannotStart|CannotCreate"
    r"|RuntimeTimeoutError|States\.TaskFailed",
    DelayReason.REFUSED: r"AccessDenied|Invalid|Unsupported|PlatformUnknown|Incompatib|Blocked"
    r"|\bClientException|Conflict|NotFound|MISSING|States\.|(?i:not authorized|not found|inactive)",
}
_ARN: Final = re.compile(r"arn:\S+")


def delay_reason(error: str) -> DelayReason:
    """Return the reason that *error* names: the name of a launch's error, and its message.

    What is not known counts as a fault of AWS, which may mend itself.

    Source: the Amazon ECS developer guide, "API failure reasons" and "Stopped tasks error messages".

    >>> delay_reason("ECS.InvalidParameterException: Rate exceeded").value
    'launches are throttled'
    """
    # Resources have names that users chose, which say nothing of the error.
    message = _ARN.sub("", error)
    return next(
        (reason for reason, pattern in _PATTERNS.items() if re.search(pattern, message)), DelayReason.FAULT
    )
