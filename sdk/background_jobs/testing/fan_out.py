"""The state machine in memory: it does what cdk/fan_out_definition.py has Step Functions do."""

import json
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar
from uuid import uuid4

from botocore.exceptions import ClientError

from background_jobs.aws.state_machine import FanOutInput
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.close_unfinished import CloseRequest, TaskError, close_unfinished
from background_jobs.control_plane.note_delay import DelayAnswer, DelayReport, note_delay
from background_jobs.control_plane.relaunch_or_close import Closed, relaunch_or_close
from background_jobs.core.containers.relaunch import Tries
from background_jobs.core.containers.variables import CONTAINER_NAME, task_family
from background_jobs.core.errors import BackgroundJobsError
from background_jobs.core.ranges import InclusiveRange
from background_jobs.jobs import Jobs
from background_jobs.settings import ContainerSettings, Settings
from background_jobs.testing.containers import RunningContainer
from background_jobs.testing.deliveries import PASSES, Deliveries
from background_jobs.testing.faults import Faults
from background_jobs.testing.processes import Killed, Process
from background_jobs.testing.tasks import MemoryECS
from background_jobs.testing.virtual_time import VirtualTime
from background_jobs.worker.supervisor import OWN_FAILURE

_T = TypeVar("_T")

LAUNCH_SECONDS: Final = 1.0
"""How long the launch of a container takes."""
_SETTLE_SECONDS: Final = 5
_TIMED_OUT: Final = TaskError(Error="States.Timeout")
_TRIES: Final = 10
_LONGEST_WAIT: Final = 60.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FanOutParts:
    """What an execution works with."""

    time: VirtualTime
    faults: Faults
    settings: Settings
    jobs: Mapping[str, Jobs]
    """By service."""
    stores: Stores
    ecs: MemoryECS
    deliveries: Deliveries


class FanOut:
    """One execution: it works through the shares of an orchestration, and closes what is left."""

    def __init__(self, parts: FanOutParts, fan_out: FanOutInput, shares: bytes) -> None:
        self._parts = parts
        self._input = fan_out
        self._shares = iter(shares.splitlines())
        self._is_stopped = False
        self._processes: list[Process] = []
        self._running = 0

    def start(self) -> None:
        """Have the shares worked through."""
        self._running = min(self._input.parallelism, self._input.total)
        for _ in range(self._running):
            process = Process(self._parts.time)
            self._processes.append(process)
            process.start(partial(self._work, process))

    def stop(self) -> None:
        """Launch no more; the containers that run are stopped by whoever stops the execution."""
        self._is_stopped = True
        running = {container.process for container in self._parts.ecs.running()}
        for process in self._processes:
            if process not in running:
                process.kill()

    def end(self) -> None:
        """End what still runs, at once."""
        self._is_stopped = True
        for process in self._processes:
            process.end()

    def _work(self, process: Process) -> None:
        """Do what the children of the Map do, one after the other."""
        for line in self._shares:
            _Share(self._parts, self._input, json.loads(line), process).work()
            if self._is_stopped:
                return
        self._running -= 1
        if not self._running:
            self._parts.time.plan(_SETTLE_SECONDS, lambda: self._parts.deliveries.deliver(self._close))

    def _close(self) -> None:
        request = CloseRequest(orchestration_id=self._input.orchestration_id)
        close_unfinished(request, self._parts.stores)


class _Share:
    """One child of the Map: it runs containers until the share is done, or closes it."""

    def __init__(
        self, parts: FanOutParts, fan_out: FanOutInput, fields: Mapping[str, str], process: Process
    ) -> None:
        self._parts = parts
        self._input = fan_out
        self._fields = fields
        self._process = process

    def work(self) -> None:
        tries, seconds, left = Tries(), self._input.container_seconds, None
        while error := self._run_container(seconds):
            report = DelayReport(
                orchestration_id=self._input.orchestration_id,
                share=int(self._fields["share"]),
                capacity_provider=self._input.capacity_provider,
                error=error,
                tries=tries,
            )
            answer = self._call(partial(self._note_delay, report))
            self._process.sleep(answer.wait_seconds)
            tries, seconds = answer.tries, answer.container_seconds
            if answer.given_up:
                closed = self._call(partial(self._relaunch_or_close, error, left))
                if not closed.left:
                    return
                left, tries = closed.left, tries.model_copy(update={"losses": 0})

    def _note_delay(self, report: DelayReport) -> DelayAnswer:
        parts = self._parts
        draw = random.random()  # noqa: S311 -- jitter
        return note_delay(report, parts.stores, parts.time.now(), settings=parts.settings, draw=draw)

    def _relaunch_or_close(self, error: TaskError, left: int | None) -> Closed:
        request = CloseRequest(
            orchestration_id=self._input.orchestration_id,
            indices=InclusiveRange.parse(self._fields["indices"]),
            left_before=left,
            error=error,
        )
        return relaunch_or_close(request, self._parts.stores)

    def _call(self, function: Callable[[], _T]) -> _T:
        """Return what a function of the control plane answers, which is called again where it fails."""
        for number in range(1, _TRIES):
            try:
                return function()
            except PASSES as failed:
                _log.warning("A function failed, and is called again: %s", failed)
                self._process.sleep(min(2.0**number, _LONGEST_WAIT))
        return function()

    def _run_container(self, seconds: int) -> TaskError | None:
        """Run a container that may take so many seconds; return how it failed, or None."""
        if reason := self._parts.faults.refusal():
            return TaskError(Error="AmazonECS.Unknown", Cause=json.dumps({"Failures": [{"Reason": reason}]}))
        self._process.sleep(LAUNCH_SECONDS)
        container = RunningContainer(
            f"arn:aws:ecs:::task/{uuid4().hex}",
            task_family(self._parts.settings.environment, self._input.service),
            self._container_settings(),
            self._process,
        )
        late: list[bool] = []

        def stop_late() -> None:
            late.append(True)
            self._process.kill()

        planned = self._parts.time.plan(seconds, stop_late, is_work=False)
        self._parts.ecs.add(container)
        try:
            status = container.work(
                self._parts.jobs[self._input.service], self._parts.stores, self._parts.faults
            )
        except Killed:
            if not late:
                raise
            self._process.is_killed = False
            return _TIMED_OUT
        except (ClientError, BackgroundJobsError):
            _log.exception("A container failed by itself")
            status = OWN_FAILURE
        finally:
            self._parts.time.drop(planned)
            self._parts.ecs.remove(container)
        return _task_failed(container, status) if status else None

    def _container_settings(self) -> ContainerSettings:
        return ContainerSettings(
            job_name=self._input.job_name,
            orchestration_id=self._input.orchestration_id,
            job_id=self._fields["job_id"],
            share=int(self._fields["share"]),
            indices=self._fields["indices"],
            params_key=self._input.params_key,
            params_bytes=self._fields["bytes"],
            service=self._input.service,
            task_definition=self._input.task_definition,
        )


def _task_failed(container: RunningContainer, status: int) -> TaskError:
    """Return what Step Functions says of a task whose container ended with *status*."""
    task = {
        "TaskArn": container.arn,
        "TaskDefinitionArn": container.settings.task_definition,
        "StopCode": "EssentialContainerExited",
        "StoppedReason": "Essential container in task exited",
        "Containers": [{"Name": CONTAINER_NAME, "ExitCode": status}],
    }
    return TaskError(Error="States.TaskFailed", Cause=json.dumps(task))
