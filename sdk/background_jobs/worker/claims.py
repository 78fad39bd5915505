"""What a container does once its share is done: it takes over what others have not begun."""

import json
import logging
import random
import time
from bisect import bisect
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from statistics import fmean
from typing import Final, NamedTuple

from background_jobs.aws.block_log import BlockLog
from background_jobs.aws.payloads import Payloads
from background_jobs.aws.thread_pool import ThreadPool
from background_jobs.core.blocks import InstanceRange, ranges_of_share
from background_jobs.core.claims import Claimable, Findings, find_claimable
from background_jobs.core.containers.shares import share_bounds
from background_jobs.core.events import OrchestrationStarted
from background_jobs.core.limits import CLAIM_LOOKS, CLAIM_SECONDS, CLAIM_SHARE_SECONDS
from background_jobs.core.range_progress import RangeProgress
from background_jobs.worker.owned_ranges import OwnedRanges
from background_jobs.worker.pace import Pace
from background_jobs.worker.recorder import EventRecorder
from background_jobs.worker.share import AssignedShare, InstanceParams

_READERS: Final = 8
_log = logging.getLogger(__name__)
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
        self._pool = ThreadPool(_READERS + 1)
        self._hints: list[_Hint] = []
        self._looking: Future[list[_Hint]] | None = None
        self._mean = 0.0
        """Seconds of an instance in the mean, of those that this container has seen or run."""
        self.seconds_seen: list[float] = []
        """How long the instances took that were seen by the last look at everything."""
        self._begun_at = time.monotonic()

    def look_ahead(self) -> None:
        """Begin to look for what may be claimed, while the last instance that is left runs."""
        if self._is_worth_looking() and not self._hints and self._looking is None:
            self._looking = self._pool.submit(self._look)

    def take(self) -> list[tuple[int, InstanceParams]]:
        """Claim what is worth it, and return its instances with their params; none where nothing is."""
        if not (self._hints or self._is_worth_looking()):
            return []
        self._take_hints()
        for _ in range(_TRIES):
            found = self._check_hints()
            if found is None:
                self._hints = self._look()
                found = self._check_hints()
            if found is None:
                break
            if claimed := self._claim(found):
                return claimed
        return []

    def _claim(self, found: Claimable) -> list[tuple[int, InstanceParams]]:
        """Return the instances that were claimed, with their params; none where it was too late."""
        announced = found.announce(self._share.number, self._share.indices.first, datetime.now(UTC))
        part = found.range.part(found.first, found.last)
        params = self._pool.submit(lambda: list(self.read_params(part)))
        self._recorder.record_claim(announced)
        return params.result() if self._ranges.claim(announced) else []

    def _is_worth_looking(self) -> bool:
        """Tell whether instances take long, or took so long together that a look costs nothing beside it."""
        return self._pace.is_worth_moving or time.monotonic() - self._begun_at > CLAIM_SHARE_SECONDS

    def read_params(self, claimed: InstanceRange) -> Iterator[tuple[int, InstanceParams]]:
        """Yield each instance of a range that was claimed with its params. Raises PayloadNotFound."""
        shares = self._read_manifest()
        place = bisect(shares, claimed.first, key=lambda share: share.indices.first) - 1
        for index, params in shares[place].read_params(self._payloads):
            if claimed.first <= index <= claimed.last:
                yield index, params

    def _read_manifest(self) -> list[AssignedShare]:
        if not self._manifest:
            lines = self._payloads.lines(self._started.shares_key)
            self._manifest = [
                AssignedShare.from_manifest(json.loads(line), self._started.params_key) for line in lines
            ]
        return self._manifest

    def _take_hints(self) -> None:
        """Take what was found while the last instance ran, if that was looked for and did not fail."""
        looking, self._looking = self._looking, None
        if looking is None:
            return
        try:
            self._hints = looking.result()
        except Exception as error:  # noqa: BLE001 -- the next look is in the thread that raises
            _log.warning("What others have not begun is looked for once more: %s", error)

    def _check_hints(self) -> Claimable | None:
        """Return what can be claimed of the first hint that is still worth it, and drop what is used up."""
        while self._hints:
            hint = self._hints.pop(0)
            found = self._find_in_share(hint.share).claimable
            if found is not None and self._is_worth_claiming(found):
                return found
        return None

    def _look(self) -> list["_Hint"]:
        """Return the shares in which something can be claimed, those first whose owners have most to do.

        Those that have half as much or more come in any order, so that containers that end together do not
        all want the same.
        """
        count = self._started.parallelism
        numbers = random.sample(range(count), min(count, CLAIM_LOOKS))
        manifest = self._pool.submit(self._read_manifest)
        findings = list(self._pool.map(self._find_in_share, numbers))
        self._note_seconds(findings)
        manifest.result()
        return self._hints_among(numbers, findings)

    def _hints_among(self, shares: Sequence[int], findings: Sequence[Findings]) -> list["_Hint"]:
        hints = [
            _Hint(number, found.claimable)
            for number, found in zip(shares, findings, strict=True)
            if found.claimable and self._is_worth_claiming(found.claimable)
        ]
        most = max((hint.claimable.backlog for hint in hints), default=0.0)
        return sorted(hints, key=lambda hint: min(-hint.claimable.backlog, -most / 2))

    def read_progress(self, shares: Sequence[int]) -> dict[int, Sequence[RangeProgress]]:
        """Return how far the owners are of what is left in some shares, and see what may be claimed there."""
        findings = list(self._pool.map(self._find_in_share, shares))
        self._note_seconds(findings)
        self._hints = self._hints_among(shares, findings)
        return {number: found.progress for number, found in zip(shares, findings, strict=True)}

    @property
    def has_found(self) -> bool:
        """Tell whether something may be claimed, as it was found last."""
        return self._started.may_move and bool(self._hints)

    def _note_seconds(self, findings: Iterable[Findings]) -> None:
        seconds = [second for found in findings for part in found.progress for second in part.seconds]
        if len(seconds) > len(self.seconds_seen):
            self._mean, self.seconds_seen = fmean(seconds), seconds

    def _is_worth_claiming(self, found: Claimable) -> bool:
        return found.size * found.seconds >= CLAIM_SECONDS

    def _find_in_share(self, number: int) -> Findings:
        """Return the most that can be claimed of a share: of the end of what its container has left."""
        started, mean = self._started, self._mean or self._pace.mean
        first, last = share_bounds(number, started.total, started.parallelism)
        found: list[Findings] = []
        for part in reversed(list(ranges_of_share(started.service, started.orchestration_id, first, last))):
            blocks = self._block_log.read_with_claimed(part)
            now = datetime.now(UTC)
            found.append(find_claimable(part, blocks, now, mean, may_take_whole=part.first > first))
            if not found[-1].goes_on:
                break
        claimables = filter(None, (findings.claimable for findings in found))
        best = max(claimables, key=lambda claimable: claimable.backlog, default=None)
        return Findings(best, found[-1].goes_on, [part for findings in found for part in findings.progress])


class _Hint(NamedTuple):
    """A share in which something can be claimed, and what that was when somebody looked."""

    share: int
    claimable: Claimable
