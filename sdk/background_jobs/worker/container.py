"""The inner process of a container: it works through its share until every instance has an outcome."""

import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Final

from background_jobs.aws.stores import Stores
from background_jobs.core import ids
from background_jobs.core.errors import UnknownJobName
from background_jobs.core.events import (
    ContainerEnded,
    ContainerStarted,
    JobAttemptFailed,
    JobError,
    JobEvent,
    JobProgressed,
    JobStarted,
)
from background_jobs.core.payload_keys import payload_folder
from background_jobs.core.payloads import storable
from background_jobs.jobs import JobContext, JobDefinition, Jobs
from background_jobs.settings import ContainerSettings
from background_jobs.worker.current_attempt import CurrentAttempt, SharedCurrentAttempt
from background_jobs.worker.earlier_launches import LOSSES_OF_A_POISON, LOST, EarlierLaunches
from background_jobs.worker.event_writer import EventWriter
from background_jobs.worker.instance import Attempt, InstanceRunner, Limit, errored, job_error
from background_jobs.worker.log_location import log_location
from background_jobs.worker.run_queue import QueuedInstance, RunQueue
from background_jobs.worker.share import Share
from background_jobs.worker.stop_signals import StopSignals
from background_jobs.worker.supervisor import TERMINATED, Blame

_log = logging.getLogger(__name__)
_INTERRUPTED: Final = "Interrupted"


class Container:
    """One process at work on a share."""

    def __init__(
        self,
        jobs: Jobs,
        settings: ContainerSettings,
        stores: Stores,
        current_attempt: SharedCurrentAttempt,
        blame: Blame | None = None,
    ) -> None:
        self._jobs = jobs
        self._settings = settings
        self._stores = stores
        self._current_attempt = current_attempt
        self._blame = blame
        self._share = Share.of(settings)
        self._log = log_location(settings)
        self._started, cancellation = stores.event_log.read_started_and_cancelled(settings.orchestration_id)
        event_log = stores.event_log.for_service(self._started.service)
        self._earlier = EarlierLaunches.read(event_log, self._beginning(), culprit_is_known=blame is not None)
        self._writer = EventWriter(event_log)
        self._stop_signals = StopSignals(event_log, self._started, cancellation, self._hand_back)
        self._begun = 0

    def work(self) -> int:
        """Give every instance of the share its outcome, and return the exit status of the container."""
        with self._writer, self._stop_signals:
            try:
                definition = self._jobs.named(self._settings.job_name)
            except UnknownJobName as unknown:
                _log.error("%s", unknown)
                self._close(RunQueue(self._entries()), job_error(unknown))
            else:
                self._run_all(definition)
            status = TERMINATED if self._stop_signals.told_to_end else 0
            self._writer.add(
                ContainerEnded(
                    orchestration_id=self._settings.orchestration_id,
                    at=datetime.now(UTC),
                    share=self._share.number,
                    launch=self._earlier.launch,
                    status=status,
                )
            )
        return status

    def _beginning(self) -> ContainerStarted:
        return ContainerStarted(
            orchestration_id=self._settings.orchestration_id,
            at=datetime.now(UTC),
            share=self._share.number,
            launch=0,
            first=self._share.first,
            last=self._share.last,
            log=self._log,
            cpu=self._settings.cpu,
            memory_mib=self._settings.memory_mib,
        )

    def _run_all(self, definition: JobDefinition) -> None:
        retry = self._started.retry or definition.retry
        folder = payload_folder(self._started.service, self._settings.orchestration_id)
        runner = InstanceRunner(definition, retry, self._stores.payloads, folder, self._log)
        if self._blame:
            self._judge(runner, definition, self._blame)
        run_queue = RunQueue(self._entries())
        while (entry := run_queue.next(time.time())) and not self._stop_signals.told_to_end:
            if verdict := self._stop_signals.verdict():
                run_queue.put_off(entry)
                self._close(run_queue, verdict)
            elif entry.due > time.time():
                run_queue.put_off(entry)
                self._stop_signals.wait(min(entry.due - time.time(), self._stop_signals.seconds_left()))
            else:
                event = self._attempt(runner, definition, entry)
                self._writer.add(event)
                if self._earlier.of(entry.index).losses:
                    # Or the next one to end the process would leave this one to be suspected again.
                    self._writer.flush()
                if isinstance(event, JobAttemptFailed):
                    self._earlier.of(entry.index).failed.append(event)
                    run_queue.put_off(QueuedInstance(event.retry_at.timestamp(), entry.index, entry.params))
                else:
                    self._earlier.finish(entry.index)

    def _attempt(self, runner: InstanceRunner, definition: JobDefinition, entry: QueuedInstance) -> JobEvent:
        """Run an instance once and return what came of it; one that is poison is left out."""
        past = self._earlier.of(entry.index)
        if past.is_poison:
            return errored(self._attempt_of(entry, past.attempts), _poison(past.losses), self._log)
        attempt = self._attempt_of(entry, past.attempts + 1)
        self._writer.add(self._start_of(attempt.context))
        if past.losses or self._earlier.is_careful(self._begun):
            # What has ended a process before may do so again, and is not to take others' outcomes with it.
            self._writer.flush()
        self._begun += 1
        limit = self._limit(definition)
        deadline = time.monotonic() + limit.seconds
        self._current_attempt.running(CurrentAttempt(entry.index, attempt.context.attempt, deadline))
        event = runner.run(attempt, limit)
        self._current_attempt.idle()
        return event

    def _judge(self, runner: InstanceRunner, definition: JobDefinition, blame: Blame) -> None:
        """Say in the log what came of the attempt that ended the process before this one."""
        for entry in self._entries():
            if entry.index == blame.index:
                event = self._verdict_on(runner, definition, blame, entry)
                self._writer.add(event)
                self._writer.flush()
                if isinstance(event, JobAttemptFailed):
                    self._earlier.of(blame.index).failed.append(event)
                else:
                    self._earlier.finish(blame.index)
                return

    def _verdict_on(
        self, runner: InstanceRunner, definition: JobDefinition, blame: Blame, entry: QueuedInstance
    ) -> JobEvent:
        attempt = self._attempt_of(entry, blame.attempt)
        attempt.past.starts.discard(blame.attempt)
        if blame.timed_out:
            return runner.timed_out(attempt, self._limit(definition))
        error = JobError(type=LOST, message=f"The process of this instance ended: {blame.reason}.")
        if attempt.past.losses + 1 >= LOSSES_OF_A_POISON:
            return errored(attempt, error, self._log)
        return runner.failed(attempt, error, retry_in_seconds=0).model_copy(update={"counts": False})

    def _limit(self, definition: JobDefinition) -> Limit:
        """Return what limits an attempt that begins now, or that has just been ended by force."""
        left, timeout = self._stop_signals.seconds_left(), definition.timeout
        if timeout is None or left < timeout:
            return Limit(
                left,
                "OrchestrationTimeout",
                f"The orchestration's timeout ended at {self._started.deadline}.",
            )
        return Limit(timeout, "AttemptTimeout", f"The attempt took longer than its timeout of {timeout:g} s.")

    def _hand_back(self) -> None:
        """Tell the log that what runs is interrupted from outside, which is nobody's fault."""
        running = self._current_attempt.read()
        if running is None:
            return
        now = datetime.now(UTC)
        self._writer.add(
            JobAttemptFailed(
                orchestration_id=self._settings.orchestration_id,
                at=now,
                index=running.index,
                attempt=running.attempt,
                error=JobError(type=_INTERRUPTED, message="The container was told to end (SIGTERM)."),
                retry_at=now,
                counts=False,
            )
        )

    def _close(self, run_queue: RunQueue, error: JobError) -> None:
        for entry in run_queue.rest():
            attempts = self._earlier.of(entry.index).attempts
            self._writer.add(errored(self._attempt_of(entry, attempts), error, self._log))

    def _entries(self) -> Iterator[QueuedInstance]:
        for index, params in self._share.params(self._stores.payloads):
            if self._earlier.is_to_run(index):
                retry_at = self._earlier.of(index).retry_at if self._earlier.launch else None
                yield QueuedInstance(retry_at.timestamp() if retry_at else 0.0, index, params)

    def _start_of(self, context: JobContext) -> JobStarted:
        return JobStarted(
            orchestration_id=context.orchestration_id,
            at=datetime.now(UTC),
            index=context.index,
            attempt=context.attempt,
            launch=self._earlier.launch,
        )

    def _tell_progress(self, index: int, attempt: int, percent: int, message: str) -> None:
        self._writer.add(
            JobProgressed(
                orchestration_id=self._settings.orchestration_id,
                at=datetime.now(UTC),
                index=index,
                attempt=attempt,
                percent=percent,
                message=storable(message),
            )
        )

    def _attempt_of(self, entry: QueuedInstance, number: int) -> Attempt:
        orchestration_id = self._settings.orchestration_id
        context = JobContext(
            self._settings.job_name,
            orchestration_id,
            ids.job_id(orchestration_id, entry.index),
            entry.index,
            number,
            self._started.tags,
            self._stop_signals.cancelled,
            partial(self._tell_progress, entry.index, number),
        )
        return Attempt(entry.params, context, self._earlier.of(entry.index))


def _poison(losses: int) -> JobError:
    return JobError(
        type=LOST,
        message=f"The container ended {losses} times while this instance ran, so it was left out; "
        "the rest of its share went on. Out of memory looks like this.",
    )
