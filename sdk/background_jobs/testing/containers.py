"""Containers in this process: the worker's own code, without processes, threads and signals of its own."""

from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from background_jobs.aws.container_stores import ContainerStores
from background_jobs.core.blocks import InstanceRange
from background_jobs.core.errors import ShareLost
from background_jobs.core.events import JobError, JobEvent
from background_jobs.core.limits import APPEND_SECONDS
from background_jobs.core.ownership import RangeLost
from background_jobs.core.payload_keys import payload_folder
from background_jobs.jobs import JobDefinition, Jobs
from background_jobs.settings import ContainerSettings
from background_jobs.testing.event_loop import VirtualCoroutineRunner
from background_jobs.testing.faults import Faults
from background_jobs.testing.processes import Killed, Process, current_process
from background_jobs.worker.blame import Blame, describe_code
from background_jobs.worker.container import Container
from background_jobs.worker.current_attempt import SharedCurrentAttempt
from background_jobs.worker.event_writer import EventWriter
from background_jobs.worker.instance import Attempt, AttemptLimit, InstanceRunner
from background_jobs.worker.interruptions import Interruption
from background_jobs.worker.owned_ranges import OwnedRanges
from background_jobs.worker.process_cleanup import ProcessCleanup
from background_jobs.worker.result_store import ResultStore
from background_jobs.worker.run_queue import RunQueue
from background_jobs.worker.stop_signals import StopSignals
from background_jobs.worker.supervisor import SHARE_LOST, Predecessor

if TYPE_CHECKING:
    from background_jobs.testing.virtual_time import Planned

KILLED: Final = 137
"""The exit code of a container that was killed."""


class ContainerDied(BaseException):
    """A container dies because a test has asked for it."""


class ProcessEnded(BaseException):
    """A job has ended its process; *successor* tells the next one of that."""

    def __init__(self, successor: Predecessor) -> None:
        self.successor = successor
        super().__init__()


class _Writer(EventWriter):
    """Writes when a block would be written, in virtual time, and in no thread of its own."""

    def __init__(
        self, ranges: OwnedRanges, owned_at: float, on_lost: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(ranges, owned_at, on_lost)
        self._process = _process()
        self._time = self._process.time
        self._planned: Planned | None = None

    def add(self, event: JobEvent) -> None:
        super().add(event)
        if self._is_worth_a_flush():
            self.flush()
        elif self._pending and self._planned is None:
            self._planned = self._time.plan(APPEND_SECONDS, self._write_pending, is_work=False)

    def flush(self) -> None:
        if self._planned:
            self._time.drop(self._planned)
        self._write_pending()
        self._raise_error()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flush()

    def _write_pending(self) -> None:
        self._planned = None
        batch = list(self._pending)
        self._pending.clear()
        self._pending_bytes = 0
        if not batch or self._error or self._process.is_killed:
            return
        try:
            self._append(batch)
        except Exception as error:  # noqa: BLE001 -- raised by the next call
            self._error = error

    def _is_full(self) -> bool:
        return False


class _StopSignals(StopSignals):
    """Knows of a cancellation whenever it is asked, and of the end of its task when it is told."""

    def error(self) -> JobError | None:
        if not self.cancelled.is_set():
            self._look_for_cancellation()
        return super().error()

    def wait(self, seconds: float) -> None:
        if not (self.terminated or self.cancelled.is_set()):
            _process().sleep(seconds)

    def terminate(self) -> None:
        """Do what SIGTERM makes a container do."""
        self._look_for_cancellation()
        self.terminated = True
        self._working_time.shorten()
        self._on_sigterm()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class _TimeLimit:
    """A context in which TimedOut is raised where the job sleeps beyond its time."""

    def __init__(self, process: Process, seconds: float) -> None:
        self._process = process
        self._seconds = seconds

    def __enter__(self) -> None:
        self._process.limit = self._process.time.seconds + self._seconds

    def __exit__(self, *raised: object) -> None:
        self._process.limit = float("inf")


class _Runner(InstanceRunner):
    """Runs attempts in the thread of their container."""

    coroutines: VirtualCoroutineRunner

    def run(
        self, attempt: Attempt, limit: AttemptLimit, interruption: Interruption | None = None
    ) -> JobEvent:
        del interruption
        return super().run(attempt, limit, _TimeLimit(_process(), limit.seconds))

    def _call(self, attempt: Attempt) -> Any:  # noqa: ANN401 -- whatever the job returns
        return self.coroutines.result_of(self.begin(attempt))


class _NoCleanup(ProcessCleanup):
    """Leaves alone what attempts have changed in this process, which is that of the tests."""

    def __init__(self) -> None:
        self.failed = ""

    def run(self, attempt: Any, *args: object) -> JobEvent:  # noqa: ANN401 -- a function of the container
        event: JobEvent = copy_context().run(attempt, *args)
        return event


class MemoryContainer(Container):
    """One process of a container."""

    writer_type: ClassVar[type[EventWriter]] = _Writer
    stop_signals_type: ClassVar[type[StopSignals]] = _StopSignals

    def __init__(
        self,
        jobs: Jobs,
        settings: ContainerSettings,
        stores: ContainerStores,
        predecessor: Predecessor | None,
        faults: Faults,
    ) -> None:
        super().__init__(jobs, settings, stores, SharedCurrentAttempt(), predecessor)
        self._faults = faults

    def stop(self) -> None:
        """Tell the container to end, as StopTask does."""
        if isinstance(self._stop_signals, _StopSignals):
            with suppress(RangeLost):
                self._stop_signals.terminate()

    def _run_all(self, definition: JobDefinition) -> None:
        retry = self._started.retry or definition.retry
        folder = payload_folder(self._settings.service, self._settings.orchestration_id)
        results = ResultStore(self._payloads, folder, self._working_time)
        runner = _Runner(definition, retry, results, self._log, self._tracing)
        runner.coroutines = VirtualCoroutineRunner(_process())
        try:
            self._judge_lost_attempts(runner, definition)
            self._run_queued(RunQueue(self._queued_instances()), runner, definition, _NoCleanup())
        finally:
            runner.coroutines.close()

    def _run_once(
        self,
        runner: InstanceRunner,
        definition: JobDefinition,
        attempt: Attempt,
        place: tuple[InstanceRange, int] | None = None,
    ) -> JobEvent:
        process = _process()
        dies = self._faults.takes_container(attempt.context.index)
        if dies:
            self._recorder.flush()
        event = super()._run_once(runner, definition, attempt, place)
        if process.is_killed:
            raise Killed
        if dies:
            raise ContainerDied
        if process.exit_code is not None:
            reason, process.exit_code = describe_code(process.exit_code), None
            self._recorder.flush()
            blame = Blame(attempt.context.index, attempt.context.attempt, reason)
            raise ProcessEnded(Predecessor(self._launch.number, (blame,)))
        return event


class RunningContainer:
    """A container at work, for those who list and stop tasks."""

    def __init__(self, arn: str, family: str, settings: ContainerSettings, process: Process) -> None:
        self.arn = arn
        self.family = family
        self.settings = settings
        self.process = process
        self._container: MemoryContainer | None = None

    def work(self, jobs: Jobs, stores: ContainerStores, faults: Faults) -> int:
        """Work through the share, and return the exit status. Raises Killed."""
        predecessor: Predecessor | None = None
        while True:
            try:
                self._container = MemoryContainer(jobs, self.settings, stores, predecessor, faults)
                return self._container.work()
            except (RangeLost, ShareLost):
                if self.process.is_killed:
                    raise Killed from None
                return SHARE_LOST
            except ContainerDied:
                return KILLED
            except ProcessEnded as ended:
                predecessor = ended.successor

    def stop(self) -> None:
        """Tell it to end."""
        if self._container:
            self._container.stop()
        self.process.wake()


def _process() -> Process:
    process = current_process()
    if process is None:
        raise AssertionError("Only a container's own thread runs its jobs.")
    return process
