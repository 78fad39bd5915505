"""How far two clocks differ, told by an answer of the one to the other."""

from datetime import datetime
from typing import Final

TOLERANCE_SECONDS: Final = 2.0
"""Clocks that differ by less are taken for equal."""


def offset_seconds(sent: datetime, date: datetime, received: datetime) -> float:
    """Return how many seconds a server's clock is ahead of ours; 0 where they do not differ for certain.

    *sent* and *received* are the times of a request and its answer by our clock. *date* is that of the answer
    by the server's, in whole seconds, rounded down.

    >>> noon = datetime(2026, 11, 24, 12)
    >>> offset_seconds(noon, noon.replace(minute=2), noon.replace(second=1))
    120.0
    """
    least, most = (date - received).total_seconds(), (date - sent).total_seconds() + 1
    return (least + most) / 2 if least > TOLERANCE_SECONDS or most < -TOLERANCE_SECONDS else 0.0
