"""What a container claims of others once its share is done: about half of what its owner has before it."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from background_jobs.core.claims import count_to_claim
from background_jobs.core.limits import CLAIM_LOOKS, CLAIM_SECONDS

QUERIES_AT_ONCE: Final = 8


@dataclass(slots=True)
class Part:
    """The part of a share in one partition of the log, or what was claimed of one."""

    next: int
    """The first instance that has not begun."""
    last: int
    has_begun: bool = False
    running_since: float | None = None
    """When the instance began that its owner is in; None where nobody works on it."""
    claimed: list["Part"] = field(default_factory=list)
    """What others have taken from its end."""

    @property
    def unbegun(self) -> int:
        """Return how many instances have not begun."""
        return self.last - self.next + 1

    @property
    def is_begun_whole(self) -> bool:
        """Tell whether no instance is left that has not begun."""
        return self.next > self.last

    def busy(self, now: float, mean: float) -> float:
        """Return for the time of how many instances the owner is likely to be busy with the one it is in."""
        return 0.0 if self.running_since is None else max(0.0, now - self.running_since) / mean

    def claimable(self, busy: float, *, whole: bool) -> int:
        """Return how many instances may be claimed; the first of a part never is."""
        if self.has_begun:
            return count_to_claim(self.unbegun, busy)
        return self.unbegun - 1 if whole else self.unbegun // 2

    def claim(self, count: int) -> "Part":
        """Give the last *count* instances away."""
        self.last -= count
        taken = Part(self.last + 1, self.last + count)
        self.claimed.append(taken)
        return taken

    def family(self) -> Iterator["Part"]:
        """Yield the part and all that was claimed from it."""
        yield self
        for part in self.claimed:
            yield from part.family()


class Claimable(NamedTuple):
    """Instances at the end of a part that may be claimed."""

    backlog: float
    """For the time of how many instances the owner has to do."""
    size: int
    part: Part


def find_in_share(parts: Sequence[Part], now: float, mean: float) -> Claimable | None:
    """Return the most that can be claimed at once of a share; None if nothing can."""
    found: list[Claimable] = []
    for part in reversed(parts):
        if part.is_begun_whole and not part.claimed:
            break  # nothing of it is left, as of most at the end
        best = max(
            _claimables(part, now, mean, may_take_whole=part is not parts[0]), default=None, key=_backlog
        )
        found += [best] if best else []
        goes_on = bool(part.claimed) or (best is None and part.unbegun > 0)
        if not goes_on:
            break
    return max(found, key=_backlog, default=None)


def claim(shares: Sequence[Sequence[Part]], now: float, mean: float, draw: random.Random) -> Part | None:
    """Claim of one of the owners who have most to do, for instances of *mean* seconds."""
    numbers = draw.sample(range(len(shares)), min(len(shares), CLAIM_LOOKS))
    found = [one for number in numbers if (one := find_in_share(shares[number], now, mean))]
    worth = [one for one in found if one.size * mean >= CLAIM_SECONDS]
    most = max(map(_backlog, worth), default=0.0)
    large = [one for one in worth if 2 * one.backlog >= most]
    if not large:
        return None
    _, count, part = draw.choice(large)
    return part.claim(count)


def _backlog(claimable: Claimable) -> float:
    return claimable.backlog


def _claimables(part: Part, now: float, mean: float, *, may_take_whole: bool) -> Iterator[Claimable]:
    for one in part.family():
        if one.is_begun_whole:
            continue
        busy = one.busy(now, mean)
        count = one.claimable(busy, whole=may_take_whole and one is part)
        if count > 0:
            yield Claimable(one.unbegun + busy, count, one)
