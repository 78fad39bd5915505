"""What earlier launches of a container left behind: what is done, and what may have killed them."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Self

from background_jobs.aws.event_log import EventLog
from background_jobs.core.errors import EventConflict
from background_jobs.core.events import ContainerStarted
from background_jobs.worker.share import Share

_LOSSES_OF_A_POISON: Final = 2
"""Launches that must have died on an instance before it is blamed and left out."""


@dataclass(frozen=True, slots=True)
class History:
    """What is known of a share when a container takes it up."""

    launch: int
    """How many containers took up this share before."""
    unfinished: frozenset[int] | None = None
    """The instances without an outcome; None stands for all, in a first launch."""
    starts: Counter[int] = field(default_factory=Counter)
    """How many attempts of each instance are known to have begun."""

    @classmethod
    def read(cls, event_log: EventLog, orchestration_id: str, share: Share) -> Self:
        """Read what happened before, if this is not the first launch."""
        launch = _take_up(event_log, orchestration_id, share)
        if not launch:
            return cls(launch)
        return cls(
            launch,
            frozenset(event_log.unfinished(orchestration_id, share.first, share.last)),
            Counter(start.index for start in event_log.starts(orchestration_id, share.first, share.last)),
        )

    @property
    def careful(self) -> bool:
        """Tell whether a container died here before: then each start is written before its instance runs."""
        return self.launch > 0

    def is_to_run(self, index: int) -> bool:
        """Tell whether instance *index* has no outcome yet."""
        return self.unfinished is None or index in self.unfinished

    def is_poison(self, index: int) -> bool:
        """Tell whether instance *index* was running each time that a container died on it."""
        return self.starts[index] >= _LOSSES_OF_A_POISON


def _take_up(event_log: EventLog, orchestration_id: str, share: Share) -> int:
    launch = 0
    while True:
        try:
            event_log.append(
                ContainerStarted(
                    orchestration_id=orchestration_id,
                    at=datetime.now(UTC),
                    share=share.number,
                    launch=launch,
                    first=share.first,
                    last=share.last,
                )
            )
        except EventConflict:
            launch += 1
        else:
            return launch
