"""What a container claims of others once its share is done: the second half of what has not begun."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

CLAIM_INSTANCE_SECONDS: Final = 0.05
"""Shorter instances stay where they are."""
CLAIM_SECONDS: Final = 0.1
"""What is claimed takes at least so long."""
CLAIM_LOOKS: Final = 100
"""In how many shares a container looks for what it may claim, with a query each; beyond it, a sample."""
QUERIES_AT_ONCE: Final = 8


@dataclass(slots=True)
class Part:
    """The part of a share in one partition of the log, or what was claimed of one."""

    next: int
    """The first instance that has not begun."""
    last: int
    has_begun: bool = False
    claimed: list["Part"] = field(default_factory=list)
    """What others have taken from its end."""

    @property
    def unbegun(self) -> int:
        """Return how many instances have not begun."""
        return self.last - self.next + 1

    def claimable(self, *, whole: bool) -> int:
        """Return how many instances may be claimed; the first of a part never is."""
        if self.has_begun:
            return (self.unbegun + 1) // 2
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


def find_in_share(parts: Sequence[Part]) -> tuple[int, Part] | None:
    """Return the most that can be claimed at once of a share, and of which part; None if nothing can."""
    found: list[tuple[int, Part]] = []
    for part in reversed(parts):
        sizes = [
            (one.claimable(whole=one is part and part is not parts[0]), one)
            for one in part.family()
            if one.unbegun > 0
        ]
        best = max(sizes, key=lambda size: size[0], default=(0, part))
        if best[0] > 0:
            found.append(best)
        goes_on = bool(part.claimed) or (best[0] <= 0 and part.unbegun > 0)
        if not goes_on:
            break
    return max(found, key=lambda size: size[0], default=None)


def claim(shares: Sequence[Sequence[Part]], mean: float, draw: random.Random) -> Part | None:
    """Claim one of the largest parts of which enough has not begun, for instances of *mean* seconds."""
    numbers = draw.sample(range(len(shares)), min(len(shares), CLAIM_LOOKS))
    found = [size for number in numbers if (size := find_in_share(shares[number]))]
    worth = [size for size in found if size[0] * mean >= CLAIM_SECONDS]
    most = max((count for count, _ in worth), default=0)
    large = [size for size in worth if 2 * size[0] >= most]
    if not large:
        return None
    count, part = draw.choice(large)
    return part.claim(count)
