"""One launch of a container, as the log tells it: which one it is, and how it ended."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Self

from background_jobs.core.errors import EventConflict, ShareLost
from background_jobs.core.events import ContainerEnded, ContainerStarted, OrchestrationEvent
from background_jobs.settings import ContainerSettings
from background_jobs.worker.container_metadata import ContainerMetadata
from background_jobs.worker.share import AssignedShare

Append = Callable[[OrchestrationEvent], None]
"""Appends an event to the log. Raises EventConflict where another holds its place."""


class Launch:
    """A launch whose ContainerStarted is in the log; its number says how many there were before."""

    def __init__(self, append: Append, started: ContainerStarted) -> None:
        self._append = append
        self._started = started

    @classmethod
    def begin(
        cls,
        append: Append,
        settings: ContainerSettings,
        share: AssignedShare,
        metadata: ContainerMetadata,
        predecessor: int | None = None,
    ) -> Self:
        """Append that a process takes up *share*, under the first free number.

        *metadata* is what ECS says of the container. *predecessor* is the launch of the process before this
        one in the same container.

        Raises ShareLost where another launch has begun since *predecessor* did: this container was thought
        dead.
        """
        first = ContainerStarted(
            orchestration_id=settings.orchestration_id,
            at=datetime.now(UTC),
            share=share.number,
            launch=0,
            first=share.indices.first,
            last=share.indices.last,
            log=metadata.log,
            cpu=settings.cpu,
            memory_mib=settings.memory_mib,
            capacity_provider=settings.capacity_provider,
            task_definition=metadata.task_definition,
            warm=settings.warm,
        )
        number = 0 if predecessor is None else predecessor + 1
        while True:
            started = first.model_copy(update={"launch": number})
            try:
                append(started)
            except EventConflict:
                if predecessor is not None:
                    raise ShareLost(share.number, number) from None
                number += 1
            else:
                return cls(append, started)

    @property
    def number(self) -> int:
        """Return how many launches of the share there were before."""
        return self._started.launch

    def end(self, status: int) -> None:
        """Append that the container ends with this exit status."""
        self._append(
            ContainerEnded(
                orchestration_id=self._started.orchestration_id,
                at=datetime.now(UTC),
                share=self._started.share,
                launch=self.number,
                status=status,
            )
        )
