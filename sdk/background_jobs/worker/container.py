"""The inner process of a container: it works through its share until every instance has an outcome."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import ClassVar

from background_jobs.aws.block_log import BlockLog
from background_jobs.aws.container_stores import ContainerStores
from background_jobs.aws.event_log import EventLog
from background_jobs.core import ids
from background_jobs.core.blocks import InstanceRange, ranges_of_share
from background_jobs.core.errors import InvalidJob, UnknownJobName
from background_jobs.core.events import JobAttemptFailed, JobError, JobEvent
from background_jobs.core.hedging import RunningInstance
from background_jobs.core.payload_keys import payload_folder
from background_jobs.jobs import JobContext, JobDefinition, Jobs
from background_jobs.settings import ContainerSettings
from background_jobs.tracing import TracedContainer, tracing_of_container
from background_jobs.worker.attempt_process import AttemptProcessRunner
from background_jobs.worker.blame import Blame, Verdict
from background_jobs.worker.claims import Claims
from background_jobs.worker.concurrent_attempts import ConcurrentAttempts, Work
from background_jobs.worker.container_metadata import read_metadata
from background_jobs.worker.current_attempt import CurrentAttempt, SharedCurrentAttempt
from background_jobs.worker.earlier_launches import EarlierLaunches
from background_jobs.worker.event_writer import EventWriter
from background_jobs.worker.hedges import Hedges
from background_jobs.worker.instance import Attempt, InstanceRunner, describe_error, job_errored_event
from background_jobs.worker.launch import Append, Launch
from background_jobs.worker.logs import ContainerLog
from background_jobs.worker.owned_ranges import OwnedRanges
from background_jobs.worker.pace import Pace
from background_jobs.worker.predecessor import judge_lost_attempt, poison_error
from background_jobs.worker.printed_lines import PrintedByInstance, begin_lines, end_lines
from background_jobs.worker.process_cleanup import ProcessCleanup
from background_jobs.worker.races import Races
from background_jobs.worker.recorder import EventRecorder
from background_jobs.worker.result_store import ResultStore
from background_jobs.worker.run_queue import QueuedInstance, RunQueue
from background_jobs.worker.share import AssignedShare, InstanceParams
from background_jobs.worker.stop_signals import StopSignals
from background_jobs.worker.supervisor import REPLACED, REUSABLE, SHARE_LOST, TERMINATED, Predecessor
from background_jobs.worker.working_time import WorkingTime, seconds_since_boot

_log = logging.getLogger(__name__)


class Container:
    """One process at work on a share."""

    writer_type: ClassVar[type[EventWriter]] = EventWriter
    stop_signals_type: ClassVar[type[StopSignals]] = StopSignals

    def __init__(
        self,
        jobs: Jobs,
        settings: ContainerSettings,
        stores: ContainerStores,
        current_attempt: SharedCurrentAttempt,
        predecessor: Predecessor | None = None,
    ) -> None:
        self._jobs = jobs
        self._settings = settings
        self._payloads = stores.payloads
        self._current_attempt = current_attempt
        self._predecessor = predecessor
        self._tracing = tracing_of_container(settings.service)
        self._is_to_be_replaced = False
        self._is_reusable = False
        self._share = AssignedShare.from_settings(settings)
        metadata = read_metadata(settings)
        self._log = metadata.log
        self._working_time = WorkingTime()
        event_log = stores.event_log.for_service(settings.service)
        self._started, cancellation = self._working_time.try_until_over(
            lambda: event_log.read_started_and_cancelled(settings.orchestration_id)
        )
        self._clock = stores.clock
        self._working_time.note_deadline(self._started.deadline, self._clock())
        owned_at = seconds_since_boot()
        self._launch = Launch.begin(
            self._appender(event_log),
            settings,
            self._share,
            metadata,
            predecessor.launch if predecessor else None,
        )
        current_attempt.begin_launch(self._launch.number)
        self._pace = Pace()
        self._ranges = self._own_ranges(stores.block_log)
        self._earlier = self._take_over() if self._launch.number else EarlierLaunches()
        writer = self.writer_type(self._ranges, owned_at, partial(current_attempt.announce_end, SHARE_LOST))
        self._recorder = EventRecorder(
            settings.orchestration_id, writer, self._earlier, current_attempt, self._ranges, self._pace
        )
        block_log = self._block_log = stores.block_log.until(self._working_time.is_over)
        self._claims = Claims(
            self._started, self._share, block_log, stores.payloads, self._ranges, self._recorder, self._pace
        )
        self._races: Races | None = None
        self._has_run = False
        """Whether this process has run an instance of its own."""
        self._stop_signals = self.stop_signals_type(
            event_log,
            self._started,
            cancellation,
            self._working_time,
            self._end_early,
            current_attempt,
            lambda: self._races.look() if self._races else None,
        )

    def work(self) -> int:
        """Give every instance of the share its outcome, and return the exit status of the container.

        REUSABLE stands for 0 where this process may work on another share of the job.
        Raises RangeLost when the share belongs to a later launch, or was closed. This process has appended
        nothing to it since then, and the log says nothing of its end.
        """
        traced = TracedContainer(self._started, self._share.number, self._launch.number)
        with self._tracing.container(traced):
            return self._work()

    def _work(self) -> int:
        with self._recorder, self._stop_signals:
            try:
                definition = self._jobs.get(self._settings.job_name)
            except (UnknownJobName, InvalidJob) as refused:
                _log.error("%s", refused)
                self._error_all(RunQueue(self._queued_instances()), describe_error(refused))
            else:
                self._run_all(definition)
        status = self._status()
        self._launch.end(status)
        return REUSABLE if status == 0 and self._is_reusable else status

    def _end_early(self) -> None:
        """Hand back what has not begun, and send what was traced: the process may be killed in an attempt."""
        self._recorder.hand_back()
        self._tracing.flush()

    def _status(self) -> int:
        if self._stop_signals.terminated:
            return TERMINATED
        return REPLACED if self._is_to_be_replaced else 0

    def _appender(self, event_log: EventLog) -> Append:
        return lambda event: self._working_time.try_until_over(lambda: event_log.append(event))

    def _own_ranges(self, block_log: BlockLog) -> OwnedRanges:
        first, last = self._share.indices
        ranges = ranges_of_share(self._settings.service, self._settings.orchestration_id, first, last)
        return OwnedRanges(
            block_log, ranges, self._launch.number, self._working_time, may_claim=self._started.may_move
        )

    def _take_over(self) -> EarlierLaunches:
        before = self._predecessor
        is_known = before is not None and (before.in_order or bool(before.blames))
        earlier = EarlierLaunches.take_over(self._ranges, self._launch.number, culprit_is_known=is_known)
        if before and before.blames:
            earlier.forgive(before.launch, {(blame.index, blame.attempt) for blame in before.blames})
        return earlier

    def _run_all(self, definition: JobDefinition) -> None:
        retry = self._started.retry or definition.retry
        folder = payload_folder(self._settings.service, self._settings.orchestration_id)
        results = ResultStore(self._payloads, folder, self._working_time)
        runner_type = AttemptProcessRunner if definition.process_per_instance else InstanceRunner
        runner = runner_type(definition, retry, results, self._log, self._tracing)
        if definition.hedge:
            self._races = Races(self._block_log, self._stop_signals.cancelled)
        self._judge_lost_attempts(runner, definition)
        at_once = definition.concurrency
        supervisor = self._current_attempt.supervisor
        # What is put back after each instance is what is there then.
        with self._print_by_instance(at_once), ProcessCleanup(supervisor, at_once) as cleanup:
            run = self._run_at_once(runner, definition, cleanup)
            run(RunQueue(self._queued_instances()))
            self._help_others(run, runner, definition, cleanup)
            self._is_reusable = (
                definition.reuse_process and cleanup.allows_another_share() and self._may_go_on()
            )

    def _print_by_instance(self, at_once: int) -> PrintedByInstance:
        log = ContainerLog(self._settings)
        if at_once > 1:
            return PrintedByInstance(log.describe_printed)
        # Threads that the instance starts have no context of it.
        log.current_attempt = self._current_attempt
        return PrintedByInstance(log.describe_printed, lambda: self._current_attempt.read() is not None)

    def _run_at_once(
        self, runner: InstanceRunner, definition: JobDefinition, cleanup: ProcessCleanup
    ) -> Callable[[RunQueue], None]:
        """Return what works through a queue, with as many attempts at once as the job says."""
        if definition.concurrency == 1:
            return partial(self._run_queued, runner=runner, definition=definition, cleanup=cleanup)
        self._pace.run_at_once(definition.concurrency)
        self._current_attempt.begin_launch(self._launch.number, definition.concurrency)
        work = Work(
            prepare=self._prepare,
            runs_alone=lambda index: self._earlier.attempts(index).runs_alone(
                has_own_process=definition.process_per_instance
            ),
            limit_attempt=lambda: self._stop_signals.limit_attempt(definition.timeout),
            decide_after_timeout=runner.decide_after_timeout,
            record_end=self._recorder.record_end,
            note_time=self._pace.note,
            stop_signals=self._stop_signals,
            error_all=self._error_all,
        )
        attempts = ConcurrentAttempts(work, runner, definition, self._current_attempt, cleanup)

        def run(run_queue: RunQueue) -> None:
            attempts.run(run_queue)
            self._note_failed(cleanup)

        return run

    def _note_failed(self, cleanup: ProcessCleanup) -> None:
        if cleanup.failed and not self._stop_signals.terminated:
            _log.warning("A fresh process goes on with the share: %s", cleanup.failed)
            self._is_to_be_replaced = True

    def _may_go_on(self) -> bool:
        """Tell whether the container may do more than its share."""
        stopped = self._stop_signals.terminated or self._is_to_be_replaced
        return not stopped and self._stop_signals.error() is None

    def _help_others(
        self,
        run: Callable[[RunQueue], None],
        runner: InstanceRunner,
        definition: JobDefinition,
        cleanup: ProcessCleanup,
    ) -> None:
        """Run what others have not begun, and then, where the job allows it, slow instances once more."""
        hedges = Hedges(
            self._started,
            self._share.number,
            self._block_log,
            self._claims,
            self._ranges,
            self._stop_signals.wait,
        )
        while self._may_go_on():
            if self._started.may_move and (claimed := self._claims.take()):
                run(RunQueue(QueuedInstance(0.0, index, params) for index, params in claimed))
            elif not (definition.hedge and self._has_run):
                return
            elif copied := hedges.find(self._may_go_on):
                self._run_copy(copied, hedges, runner, definition, cleanup)
                if cleanup.failed:
                    return
            elif not self._claims.has_found:
                return

    def _run_copy(
        self,
        copied: RunningInstance,
        hedges: Hedges,
        runner: InstanceRunner,
        definition: JobDefinition,
        cleanup: ProcessCleanup,
    ) -> None:
        """Run a slow instance of another container, and bring in its outcome.

        A copy may end its process, or its container. Then the next one has nothing else to run, and ends.
        """
        # What ran here must not run again because a copy ended its process.
        self._recorder.flush()
        [(_, params)] = self._claims.read_params(copied.range.part(copied.index, copied.index))
        attempt = self._attempt(QueuedInstance(0.0, copied.index, params), copied.attempt)
        context = replace(attempt.context, _record=lambda _percent, _message: None)
        copy, place = replace(attempt, context=context), (copied.range, copied.sequence)
        hedges.bring_in(copied, cleanup.run(self._run_once, runner, definition, copy, place))

    def _run_queued(
        self,
        run_queue: RunQueue,
        runner: InstanceRunner,
        definition: JobDefinition,
        cleanup: ProcessCleanup,
    ) -> None:
        while (instance := run_queue.next(time.monotonic())) and not self._stop_signals.terminated:
            if cleanup.failed:
                self._note_failed(cleanup)
                return
            if error := self._stop_signals.error():
                run_queue.defer(instance)
                self._error_all(run_queue, error)
            elif instance.due > time.monotonic():
                run_queue.defer(instance)
                self._stop_signals.wait(
                    min(instance.due - time.monotonic(), self._stop_signals.seconds_left())
                )
            elif event := self._run_unless_poison(runner, definition, cleanup, instance):
                self._recorder.record_end(event)
                if isinstance(event, JobAttemptFailed):
                    due = time.monotonic() + (event.retry_at - event.at).total_seconds()
                    run_queue.defer(QueuedInstance(due, instance.index, instance.params))

    def _run_unless_poison(
        self,
        runner: InstanceRunner,
        definition: JobDefinition,
        cleanup: ProcessCleanup,
        instance: QueuedInstance,
    ) -> JobEvent | None:
        """Run an instance once and return how that ended; None where another container has it by now."""
        prepared = self._prepare(instance)
        if not isinstance(prepared, Attempt):
            return prepared
        event = cleanup.run(self._run_once, runner, definition, prepared)
        return None if self._races and self._races.lost else event

    def _prepare(self, instance: QueuedInstance) -> Attempt | JobEvent | None:
        """Record that an instance begins, and return its attempt.

        Returns an outcome where the instance is left out, and None where another container has it by now.
        """
        earlier = self._earlier.attempts(instance.index)
        number = earlier.last_number
        if earlier.is_poison:
            return job_errored_event(self._attempt(instance, number), poison_error(earlier.losses), self._log)
        attempt = self._attempt(instance, number + 1)
        if not self._recorder.record_start(instance.index, number + 1):
            return None
        if self._started.may_move and self._ranges.is_last(instance.index):
            self._claims.look_ahead()
        return attempt

    def _run_once(
        self,
        runner: InstanceRunner,
        definition: JobDefinition,
        attempt: Attempt,
        place: tuple[InstanceRange, int] | None = None,
    ) -> JobEvent:
        """Run an attempt; *place* is the range of an instance of another container, and its next block."""
        index, number = attempt.context.index, attempt.context.attempt
        limit = self._stop_signals.limit_attempt(definition.timeout)
        begun = time.monotonic()
        self._current_attempt.publish(CurrentAttempt(index, number, begun + limit.seconds))
        self._has_run |= place is None
        begin_lines()
        if self._races:
            place = place or (self._ranges.find(index), self._ranges.next_sequence(index))
            event = self._races.run(runner, attempt, limit, *place)
        else:
            event = runner.run(attempt, limit)
        end_lines()
        self._current_attempt.clear()
        self._pace.note(time.monotonic() - begun)
        return event

    def _judge_lost_attempts(self, runner: InstanceRunner, definition: JobDefinition) -> None:
        """Record how the attempts ended that ran when the process before this one ended, or a container."""
        blames = {blame.index: blame for blame in self._predecessor.blames} if self._predecessor else {}
        if self._settings.after_out_of_memory and self._predecessor is None:
            lost, verdict = self._earlier.lost(), Verdict.INTERRUPTED
            reason = "their container ran out of memory, and this one has more"
        else:
            lost, verdict = self._earlier.lost_in_company(), Verdict.SUSPECTED
            reason = "their container was lost"
        for index, number in lost:
            blames.setdefault(index, Blame(index, number, reason, verdict))
        if not blames:
            return
        events = [
            self._judge(blame, instance, runner, definition)
            for instance in self._queued_instances()
            if (blame := blames.get(instance.index))
        ]
        for event in events:
            self._recorder.record_end(event, flush=event is events[-1])

    def _judge(
        self, blame: Blame, instance: QueuedInstance, runner: InstanceRunner, definition: JobDefinition
    ) -> JobEvent:
        limit = self._stop_signals.limit_attempt(definition.timeout)
        return judge_lost_attempt(blame, self._attempt(instance, blame.attempt), runner, limit)

    def _error_all(self, run_queue: RunQueue, error: JobError) -> None:
        for instance in run_queue.drain():
            attempt = self._attempt(instance, self._earlier.attempts(instance.index).last_number)
            self._recorder.record_end(job_errored_event(attempt, error, self._log))

    def _read_params(self) -> Iterator[tuple[int, InstanceParams]]:
        """Yield the instances of the share, and those that earlier launches claimed, with their params."""
        claimed = self._ranges.claimed
        if not claimed:
            yield from self._share.read_params(self._payloads)
            return
        for index, params in self._share.read_params(self._payloads):
            if self._ranges.find(index) not in claimed:
                yield index, params
        for instances in claimed:
            for index, params in self._claims.read_params(instances):
                if self._ranges.find(index) == instances:
                    yield index, params

    def _queued_instances(self) -> Iterator[QueuedInstance]:
        for index, params in self._read_params():
            if self._earlier.is_unfinished(index):
                wait = (
                    self._earlier.attempts(index).seconds_to_retry(self._clock())
                    if self._earlier.launch
                    else 0.0
                )
                yield QueuedInstance(time.monotonic() + wait if wait > 0 else 0.0, index, params)

    def _attempt(self, instance: QueuedInstance, number: int) -> Attempt:
        orchestration_id = self._settings.orchestration_id
        context = JobContext(
            self._settings.job_name,
            orchestration_id,
            ids.job_id(orchestration_id, instance.index),
            instance.index,
            number,
            dict(self._started.tags),  # a job may change what it is given
            self._stop_signals.cancelled,
            partial(self._recorder.record_progress, instance.index, number),
        )
        return Attempt(instance.params, context, self._earlier.attempts(instance.index))
