"""Whether and when a share is launched again whose container was refused, did not start, or was lost.

What mends itself, or is mended by somebody who has a quota raised, is waited for without an end of its own.
What does not is given up after a few launches. A child of Step Functions has a history of 25,000 events, and
may live for a year: so the tries become rarer from the second day on, such that they last for that year.

Source: the Step Functions developer guide, "Quotas related to state machine executions".
"""

from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict

from background_jobs.core.containers.delays import DelayReason
from background_jobs.core.limits import RELAUNCHES
from background_jobs.core.retry import Retry, retry_delay

MENDS_ITSELF: Final = frozenset(
    {
        DelayReason.THROTTLED,
        DelayReason.CAPACITY,
        DelayReason.QUOTA,
        DelayReason.ADDRESSES,
        DelayReason.FAULT,
    }
)
THROTTLE_RETRY: Final = Retry(max_attempts=3, base_seconds=10, factor=6, max_seconds=60)
"""The tries of the state machine's own when a launch is throttled, before it reports a delay."""
SPOT_RELAUNCHES: Final = 12
"""More often on Spot, and on hosts of the user's: they take containers back that did nothing wrong."""
_MOST_LAUNCHES: Final = {DelayReason.IMAGE: 3, DelayReason.REFUSED: 3, DelayReason.START: 5}
"""How often a launch is tried in vain that waiting does not mend."""
_REFUSED: Final = Retry(base_seconds=10, max_seconds=60)
_LOST: Final = Retry(base_seconds=1, max_seconds=20)
_WAITING: Final = Retry(base_seconds=20, factor=1.5, max_seconds=600)
_STEADY_WAITS: Final = 288
"""As many waits as make a day, on average."""
_GROWTH: Final = 1.0085
"""By how much each wait is longer after these: half an hour after three days, six hours after a month."""
_MOST_NOTES: Final = 50


class Tries(BaseModel):
    """What became of the launches of one share so far; the state machine keeps it from one to the next."""

    model_config = ConfigDict(frozen=True)

    waits: int = 0
    """Launches that failed for something that mends itself."""
    refusals: int = 0
    """Launches that failed for something that does not."""
    losses: int = 0
    """Containers that were launched and lost."""
    notes: int = 0
    """Delays of the share that are in the log."""
    noted: DelayReason | None = None
    """The reason of the last of them."""


class Decision(NamedTuple):
    """What follows a launch that failed."""

    wait_seconds: int | None
    """After how many seconds to launch again; None to give up."""
    tries: Tries
    is_news: bool
    """Whether the log is to say so: the reason is another than that of the last note."""


def decide_relaunch(reason: DelayReason, tries: Tries, *, spot: bool, draw: float) -> Decision:
    """Return what follows the launch that failed for *reason*, after *tries*.

    *spot* says whether containers may be taken back, as on Fargate Spot; *draw* is uniform in [0, 1).

    >>> decide_relaunch(DelayReason.QUOTA, Tries(waits=100), spot=False, draw=0.5).wait_seconds
    301
    >>> decide_relaunch(DelayReason.IMAGE, Tries(refusals=2), spot=False, draw=0.5).wait_seconds is None
    True
    """
    is_rare = reason in {DelayReason.LOST, DelayReason.MEMORY}
    is_news = is_rare or (reason != tries.noted and tries.notes < _MOST_NOTES)
    noted = {"notes": tries.notes + 1, "noted": reason} if is_news else {}
    if reason in MENDS_ITSELF:
        counted = {"waits": tries.waits + 1}
        seconds: int | None = round(1 + _longest_wait(tries.waits + 1) * draw)
    elif reason is DelayReason.MEMORY:
        # It is no loss: there are only so many sizes, and the last one is the limit of the service.
        counted, seconds = {}, 1
    elif reason is DelayReason.LOST:
        counted = {"losses": tries.losses + 1}
        is_spent = tries.losses >= (SPOT_RELAUNCHES if spot else RELAUNCHES)
        seconds = None if is_spent else round(retry_delay(tries.losses + 1, _LOST, draw=draw))
    else:
        counted = {"refusals": tries.refusals + 1}
        is_spent = tries.refusals + 1 >= _MOST_LAUNCHES[reason]
        seconds = None if is_spent else round(1 + retry_delay(tries.refusals + 1, _REFUSED, draw=draw))
    return Decision(seconds, tries.model_copy(update={**counted, **noted}), is_news)


def _longest_wait(number: int) -> float:
    """Return the longest wait in seconds after the *number*-th failed launch, counted from 1."""
    if number <= _STEADY_WAITS:
        return retry_delay(number, _WAITING, draw=1)
    return _WAITING.max_seconds * _GROWTH ** (number - _STEADY_WAITS)
