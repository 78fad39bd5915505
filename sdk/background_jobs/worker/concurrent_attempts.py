"""Working through a run queue with several attempts at once."""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple

from background_jobs.core.events import JobAttemptFailed, JobError, JobEvent
from background_jobs.jobs import JobDefinition
from background_jobs.worker.attempt_pool import (
    AttemptPool,
    AttemptProcesses,
    AttemptThreads,
    Ended,
    RunningAttempt,
)
from background_jobs.worker.current_attempt import CurrentAttempt, SharedCurrentAttempt, own_attempt
from background_jobs.worker.instance import Attempt, AttemptLimit, InstanceRunner
from background_jobs.worker.printed_lines import begin_lines
from background_jobs.worker.process_cleanup import ProcessCleanup, is_timeout
from background_jobs.worker.run_queue import QueuedInstance, RunQueue
from background_jobs.worker.stop_signals import StopSignals

_TICK_SECONDS: Final = 0.2
"""How long nobody looks whether the work is to stop."""
_STUCK: Final = "attempts took no notice of their timeout"
_TIMEOUT_GRACE_SECONDS: Final = 0.5
"""How long an attempt may take to notice its timeout; then its thread is left to itself."""


class Work(NamedTuple):
    """What a container does with its instances, whichever thread runs them."""

    prepare: Callable[[QueuedInstance], Attempt | JobEvent | None]
    """Returns the attempt to run, an outcome in its place, or None where the instance is another's."""
    runs_alone: Callable[[int], bool]
    """Tells of the index of an instance whether nothing may run beside it."""
    limit_attempt: Callable[[], AttemptLimit]
    """Returns how long an attempt may take that begins now."""
    decide_after_timeout: Callable[[Attempt, AttemptLimit], JobEvent]
    """Returns the event of an attempt that took too long, and goes on."""
    record_end: Callable[[JobEvent], None]
    note_time: Callable[[float], None]
    """Takes note of the seconds of an attempt."""
    stop_signals: StopSignals
    error_all: Callable[[RunQueue, JobError], None]
    """Gives all that is left in the queue the same outcome."""


class ConcurrentAttempts:
    """Runs the attempts of a container, as many at once as its job says, and decides what follows.

    What attempts leave in the process is put back when none runs. `cleanup.failed` says why another process
    must go on.
    """

    def __init__(
        self,
        work: Work,
        runner: InstanceRunner,
        definition: JobDefinition,
        current_attempt: SharedCurrentAttempt,
        cleanup: ProcessCleanup,
    ) -> None:
        self._work = work
        self._ended: Ended = SimpleQueue()
        self._pool = _open_pool(runner, definition, self._ended)
        self._current_attempt = current_attempt
        self._cleanup = cleanup
        self._size = definition.concurrency
        self._free_slots = list(reversed(range(self._size)))
        self._running: set[RunningAttempt] = set()
        self._stuck: dict[int, list[QueuedInstance]] = {}
        """By the index of an attempt that took no notice of its timeout, what waits for its end."""
        self._has_timed_out = False
        self._one_runs_alone = False
        """Whether the instance that was taken last from the queue runs alone, or is to."""

    def run(self, run_queue: RunQueue) -> None:
        """Return when nothing is left, or when nothing more may begin here and all that ran has ended."""
        while (wait := self._begin_due(run_queue)) is not None or self._running:
            for running, result in self._wait_for_ended(_TICK_SECONDS if wait is None else wait):
                self._take(run_queue, running, result)
            self._end_late(run_queue)
        self._end()

    def _begin_due(self, run_queue: RunQueue) -> float | None:
        """Begin what may; return for how many seconds nothing more will, or None if nothing ever will."""
        # Before anything runs that may hold the interpreter.
        self._current_attempt.note_turn()
        while not (self._work.stop_signals.terminated or self._must_be_replaced()):
            if error := self._work.stop_signals.error():
                self._release(run_queue, list(self._stuck))
                self._work.error_all(run_queue, error)
                return None
            if not self._free_slots or (self._running and self._one_runs_alone):
                return _TICK_SECONDS
            instance = run_queue.next(time.monotonic())
            if instance is None:
                return None
            if (wait := instance.due - time.monotonic()) > 0:
                run_queue.defer(instance)
                return min(wait, _TICK_SECONDS)
            self._one_runs_alone = self._work.runs_alone(instance.index)
            if self._one_runs_alone and self._running:
                run_queue.defer(instance)
                return _TICK_SECONDS
            if instance.index in self._stuck:
                self._stuck[instance.index].append(instance)
            else:
                self._begin(instance)
        return None

    def _begin(self, instance: QueuedInstance) -> None:
        prepared = self._work.prepare(instance)
        if not isinstance(prepared, Attempt):
            if prepared is not None:
                self._work.record_end(prepared)
            return
        limit, begun, context = self._work.limit_attempt(), time.monotonic(), self._cleanup.new_context()
        end = begun + limit.seconds + self._pool.patience
        current = CurrentAttempt(instance.index, prepared.context.attempt, end)
        context.run(own_attempt.set, current)
        context.run(begin_lines)
        running = RunningAttempt(instance, prepared, limit, current, self._free_slots.pop(), context, begun)
        self._running.add(running)
        self._current_attempt.publish(current, running.slot)
        self._pool.begin(running)

    def _wait_for_ended(self, seconds: float) -> list[tuple[RunningAttempt, JobEvent | BaseException]]:
        """Return the attempts that have ended, as soon as there is one, or the time of another is over."""
        deadlines = (running.current.deadline for running in self._running if not running.is_interrupted)
        wait = max(0.0, min([seconds, *(deadline - time.monotonic() for deadline in deadlines)]))
        found = []
        with suppress(Empty):
            found.append(self._ended.get(timeout=wait) if wait else self._ended.get_nowait())
            while True:
                found.append(self._ended.get_nowait())
        return found

    def _take(self, run_queue: RunQueue, running: RunningAttempt, result: JobEvent | BaseException) -> None:
        if isinstance(result, BaseException):
            raise result
        if running in self._running:
            self._record(run_queue, running, result)
        else:
            # It was late, which is recorded; now nothing of it runs any more.
            self._release(run_queue, [running.instance.index])

    def _record(self, run_queue: RunQueue, running: RunningAttempt, event: JobEvent) -> None:
        self._current_attempt.clear(running.slot)
        self._running.remove(running)
        self._free_slots.append(running.slot)
        self._work.note_time(time.monotonic() - running.begun)
        self._work.record_end(event)
        if isinstance(event, JobAttemptFailed):
            due = time.monotonic() + (event.retry_at - event.at).total_seconds()
            run_queue.defer(QueuedInstance(due, event.index, running.instance.params))
        self._has_timed_out |= is_timeout(event)
        self._cleanup.has_timed_out |= is_timeout(event)
        self._clean_up()

    def _clean_up(self) -> None:
        if self._running or self._stuck:
            self._cleanup.note_use()
            return
        self._cleanup.restore(timed_out=self._has_timed_out)
        self._cleanup.fail(self._pool.restore())
        self._has_timed_out = False

    def _end_late(self, run_queue: RunQueue) -> None:
        now = time.monotonic()
        self._excuse_held_up(now)
        for running in [running for running in self._running if running.current.deadline <= now]:
            if not running.is_interrupted:
                running.is_interrupted = True
                self._pool.interrupt(running)
            elif self._pool.ignores_timeouts and now > running.current.deadline + _TIMEOUT_GRACE_SECONDS:
                self._stuck[running.instance.index] = []
                event = self._work.decide_after_timeout(running.attempt, running.limit)
                self._record(run_queue, running, event)

    def _excuse_held_up(self, now: float) -> None:
        """Have the outer process wait for attempts that another one keeps from hearing of their timeout."""
        for running in self._pool.find_held_up():
            if running.current.deadline <= now:
                self._current_attempt.publish(replace(running.current, deadline=now), running.slot)

    def _must_be_replaced(self) -> bool:
        """Tell whether another process must go on."""
        if len(self._stuck) >= self._size:
            self._cleanup.fail(_STUCK)
        return bool(self._cleanup.failed)

    def _end(self) -> None:
        """Leave what still waits for an attempt that takes no notice of its timeout to another process."""
        if any(self._stuck.values()):
            self._cleanup.fail(_STUCK)

    def _release(self, run_queue: RunQueue, indices: Iterable[int]) -> None:
        """Let the instances run again whose attempts have ended."""
        for index in indices:
            for instance in self._stuck.pop(index, []):
                run_queue.defer(instance)


def _open_pool(runner: InstanceRunner, definition: JobDefinition, ended: Ended) -> AttemptPool:
    if definition.process_per_instance:
        return AttemptProcesses(lambda running: runner.run(running.attempt, running.limit), ended)
    if definition.is_coroutine:
        # It imports asyncio, which other jobs do not need.
        from background_jobs.worker.attempt_loop import AttemptLoop  # noqa: PLC0415

        return AttemptLoop(runner, ended)
    return AttemptThreads(
        lambda running: runner.run(running.attempt, running.limit, running.interruption), ended
    )
