"""What records the events of a container, and knows which must be in the log before the work goes on."""

from datetime import UTC, datetime
from typing import Final, Self

from background_jobs.core.events import (
    ContainerEnded,
    ContainerStarted,
    JobAttemptFailed,
    JobError,
    JobEvent,
    JobProgressed,
    JobStarted,
)
from background_jobs.core.payloads import storable
from background_jobs.settings import ContainerSettings
from background_jobs.worker.current_attempt import SharedCurrentAttempt
from background_jobs.worker.earlier_launches import EarlierLaunches
from background_jobs.worker.event_writer import EventWriter
from background_jobs.worker.share import AssignedShare

_INTERRUPTED: Final = "Interrupted"


class EventRecorder:
    """A context in which the events of one launch are recorded.

    Events are written in the background. An event is flushed, so that it is in the log when the call
    returns, only where an instance may end the process and take with it what was not written.
    """

    def __init__(
        self,
        started: ContainerStarted,
        writer: EventWriter,
        earlier: EarlierLaunches,
        current_attempt: SharedCurrentAttempt,
    ) -> None:
        self._orchestration_id = started.orchestration_id
        self._share = started.share
        self._writer = writer
        self._earlier = earlier
        self._current_attempt = current_attempt
        self._begun = 0

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._writer.__exit__(None, None, None)

    def record_start(self, index: int, attempt: int) -> None:
        """Record that an attempt is about to run."""
        self._writer.add(
            JobStarted(
                orchestration_id=self._orchestration_id,
                at=datetime.now(UTC),
                index=index,
                attempt=attempt,
                launch=self._earlier.launch,
            )
        )
        if self._earlier.is_suspect(index, begun=self._begun):
            # If the instance ends the process, the outcomes of others and its own start must not be lost.
            self._writer.flush()
        self._begun += 1

    def record_progress(self, index: int, attempt: int, percent: int, message: str) -> None:
        """Record how far an attempt is."""
        self._writer.add(
            JobProgressed(
                orchestration_id=self._orchestration_id,
                at=datetime.now(UTC),
                index=index,
                attempt=attempt,
                percent=percent,
                message=storable(message),
            )
        )

    def record_end(self, event: JobEvent, *, flush: bool = False) -> None:
        """Record how an attempt ended: with the outcome of its instance, or before another attempt."""
        self._writer.add(event)
        attempts = self._earlier.attempts(event.index)
        if flush or attempts.losses:
            # If the next instance ends the process, this one must not be suspected once more.
            self._writer.flush()
        if isinstance(event, JobAttemptFailed):
            attempts.failures.append(event)
        else:
            self._earlier.finish(event.index)

    def hand_back(self) -> None:
        """Record that the current attempt was interrupted from outside; the job keeps the attempt."""
        current = self._current_attempt.read()
        if current is None:
            return
        now = datetime.now(UTC)
        self._writer.add(
            JobAttemptFailed(
                orchestration_id=self._orchestration_id,
                at=now,
                index=current.index,
                attempt=current.attempt,
                error=JobError(type=_INTERRUPTED, message="The container was told to end (SIGTERM)."),
                retry_at=now,
                counts=False,
            )
        )

    def record_container_ended(self, status: int) -> None:
        """Record that the container ends with this exit status."""
        self._writer.add(
            ContainerEnded(
                orchestration_id=self._orchestration_id,
                at=datetime.now(UTC),
                share=self._share,
                launch=self._earlier.launch,
                status=status,
            )
        )


def first_launch_event(settings: ContainerSettings, share: AssignedShare, log: str) -> ContainerStarted:
    """Return the event that a container takes up *share* for the first time; *log* is where its output is."""
    return ContainerStarted(
        orchestration_id=settings.orchestration_id,
        at=datetime.now(UTC),
        share=share.number,
        launch=0,
        first=share.indices.first,
        last=share.indices.last,
        log=log,
        cpu=settings.cpu,
        memory_mib=settings.memory_mib,
    )
