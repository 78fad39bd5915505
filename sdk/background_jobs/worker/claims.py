"""What a container does once its share is done: it takes over what others have not begun."""

import json
import random
from bisect import bisect
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from background_jobs.aws.block_log import BlockLog
from background_jobs.aws.payloads import Payloads
from background_jobs.aws.thread_pool import ThreadPool
from background_jobs.core.blocks import InstanceRange, ranges_of_share
from background_jobs.core.claims import Claimable, find_claimable
from background_jobs.core.containers.shares import share_bounds
from background_jobs.core.events import OrchestrationStarted
from background_jobs.core.limits import CLAIM_LOOKS, CLAIM_SECONDS
from background_jobs.worker.owned_ranges import OwnedRanges
from background_jobs.worker.pace import Pace
from background_jobs.worker.recorder import EventRecorder
from background_jobs.worker.share import AssignedShare, InstanceParams

_READERS: Final = 8
_TRIES: Final = 30
"""How often in a row others may claim first; then there are enough of them."""


class Claims:
    """Finds what other shares have not begun, and claims it; nothing where each share has one instance.

    One container claims from others at once, and many may: who comes too late looks again. So a container
    ends when it finds nothing that takes longer than a claim does.
    """

    def __init__(  # noqa: PLR0913, PLR0917 -- where to look, and how to tell the log
        self,
        started: OrchestrationStarted,
        share: AssignedShare,
        block_log: BlockLog,
        payloads: Payloads,
        ranges: OwnedRanges,
        recorder: EventRecorder,
        pace: Pace,
    ) -> None:
        self._started = started
        self._share = share
        self._block_log = block_log
        self._payloads = payloads
        self._ranges = ranges
        self._recorder = recorder
        self._pace = pace
        self._manifest: list[AssignedShare] = []

    def take(self) -> list[tuple[int, InstanceParams]]:
        """Claim what is worth it, and return its instances with their params; none where nothing is."""
        for _ in range(_TRIES):
            found = self._find() if self._pace.is_worth_moving else None
            if found is None:
                break
            announced = found.announce(self._share.number, self._share.indices.first, datetime.now(UTC))
            self._recorder.record_claim(announced)
            if claimed := self._ranges.claim(announced):
                return list(self.read_params(claimed))
        return []

    def read_params(self, claimed: InstanceRange) -> Iterator[tuple[int, InstanceParams]]:
        """Yield each instance of a range that was claimed with its params. Raises PayloadNotFound."""
        if not self._manifest:
            lines = self._payloads.lines(self._started.shares_key)
            self._manifest = [
                AssignedShare.from_manifest(json.loads(line), self._started.params_key) for line in lines
            ]
        place = bisect(self._manifest, claimed.first, key=lambda share: share.indices.first) - 1
        for index, params in self._manifest[place].read_params(self._payloads):
            if claimed.first <= index <= claimed.last:
                yield index, params

    def _find(self) -> Claimable | None:
        """Return one of the largest parts of which half has not begun in some shares.

        Which one is left to chance, so that containers that end together do not all want the same.
        """
        count = self._started.parallelism
        numbers = random.sample(range(count), min(count, CLAIM_LOOKS))
        with ThreadPool(_READERS) as pool:
            found = [claimable for claimable in pool.map(self._find_in_share, numbers) if claimable]
        worth = [claimable for claimable in found if claimable.size * self._pace.mean >= CLAIM_SECONDS]
        most = max((claimable.size for claimable in worth), default=0)
        large = [claimable for claimable in worth if 2 * claimable.size >= most]
        return random.choice(large) if large else None  # noqa: S311 -- no secret

    def _find_in_share(self, number: int) -> Claimable | None:
        """Return the most that can be claimed of a share: of the end of what its container has left."""
        started = self._started
        first, last = share_bounds(number, started.total, started.parallelism)
        found: list[Claimable] = []
        for part in reversed(list(ranges_of_share(started.service, started.orchestration_id, first, last))):
            blocks = self._block_log.read_with_claimed(part)
            claimable, goes_on = find_claimable(part, blocks, may_take_whole=part.first > first)
            found += filter(None, [claimable])
            if not goes_on:
                break
        return max(found, key=lambda claimable: claimable.size, default=None)
