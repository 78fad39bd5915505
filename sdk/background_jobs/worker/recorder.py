"""What records the events of the instances, and knows which must be in the log before the work goes on."""

import os
from datetime import UTC, datetime
from typing import Final, Self

from background_jobs.core.events import (
    ClaimAnnounced,
    JobAttemptFailed,
    JobError,
    JobEvent,
    JobProgressed,
    JobStarted,
)
from background_jobs.worker.current_attempt import SharedCurrentAttempt
from background_jobs.worker.earlier_launches import INTERRUPTED, EarlierLaunches
from background_jobs.worker.event_writer import EventWriter
from background_jobs.worker.owned_ranges import OwnedRanges
from background_jobs.worker.pace import Pace

_SILENCE_SECONDS: Final = 5.0
"""After so long without an append, the process may have slept while its share was given to another."""


class EventRecorder:
    """A context in which the events of one launch are recorded.

    Events are written in the background. An event is flushed, so that it is in the log when the call
    returns, only where an instance may end the process and take with it what was not written, and where the
    share may belong to another launch by now: then flushing raises RangeLost, and the instance is not run.
    """

    def __init__(  # noqa: PLR0913, PLR0917 -- what it tells, to whom, and what it must know for that
        self,
        orchestration_id: str,
        writer: EventWriter,
        earlier: EarlierLaunches,
        current_attempt: SharedCurrentAttempt,
        ranges: OwnedRanges,
        pace: Pace,
    ) -> None:
        self._orchestration_id = orchestration_id
        self._writer = writer
        self._earlier = earlier
        self._current_attempt = current_attempt
        self._ranges = ranges
        self._pace = pace
        self._begun = 0
        self._process = os.getpid()

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._writer.__exit__(None, None, None)

    def record_start(self, index: int, attempt: int) -> bool:
        """Record that an attempt is about to run; return False if its instance is another container's."""
        if self._ranges.is_gone(index):
            return False
        self._writer.add(
            JobStarted(
                orchestration_id=self._orchestration_id,
                at=datetime.now(UTC),
                index=index,
                attempt=attempt,
                launch=self._earlier.launch,
            )
        )
        # If a suspect ends the process, the outcomes of others and its own start must not be lost.
        if (
            self._earlier.is_suspect(index, begun=self._begun)
            or self._writer.seconds_since_owned() > _SILENCE_SECONDS
            or self._may_be_claimed(index)
        ):
            self._writer.flush()
        self._begun += 1
        return not self._ranges.is_gone(index)

    def record_claim(self, announced: ClaimAnnounced) -> None:
        """Record what is about to be claimed, for the next launch. Raises RangeLost if there is one."""
        self._writer.add(announced)
        self._writer.flush()

    def _may_be_claimed(self, index: int) -> bool:
        """Tell whether the log must know that the instance begins, lest another container runs it, too."""
        return self._pace.may_be_worth_moving and self._ranges.may_be_claimed(
            index, self._writer.seconds_since_owned(), self._pace.mean
        )

    def record_progress(self, index: int, attempt: int, percent: int, message: str) -> None:
        """Record how far an attempt is; a process that the job forked records nothing."""
        if os.getpid() != self._process:
            return
        self._writer.add(
            JobProgressed(
                orchestration_id=self._orchestration_id,
                at=datetime.now(UTC),
                index=index,
                attempt=attempt,
                percent=percent,
                message=message,
            )
        )

    def record_end(self, event: JobEvent, *, flush: bool = False) -> None:
        """Record how an attempt ended: with the outcome of its instance, or before another attempt."""
        self._writer.add(event)
        attempts = self._earlier.attempts(event.index)
        if flush or attempts.is_suspect:
            # If the next instance ends the process, this one must not be suspected once more.
            self._writer.flush()
        if isinstance(event, JobAttemptFailed):
            attempts.failures.append(event)
        else:
            self._earlier.finish(event.index)

    def flush(self) -> None:
        """Return when all that was recorded is in the log. Raises RangeLost."""
        self._writer.flush()

    def hand_back(self) -> None:
        """Record that the current attempts were interrupted from outside; the job keeps these attempts."""
        now = datetime.now(UTC)
        for current in filter(
            lambda current: self._ranges.has(current.index), self._current_attempt.read_all()
        ):
            self._writer.add(
                JobAttemptFailed(
                    orchestration_id=self._orchestration_id,
                    at=now,
                    index=current.index,
                    attempt=current.attempt,
                    error=JobError(type=INTERRUPTED, message="The container was told to end (SIGTERM)."),
                    retry_at=now,
                    counts=False,
                )
            )
