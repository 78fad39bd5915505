"""ECS in memory: the tasks that run, and task definitions that are whatever is asked for."""

from collections.abc import Mapping, Sequence
from typing import Any

from background_jobs.core.containers.variables import ORCHESTRATION_ID
from background_jobs.core.limits import STOP_SECONDS
from background_jobs.testing.client import MemoryClient, Paginator
from background_jobs.testing.containers import RunningContainer
from background_jobs.testing.faults import Faults
from background_jobs.testing.refusals import Exceptions
from background_jobs.testing.virtual_time import VirtualTime


class MemoryECS(MemoryClient):
    """The cluster of the environment."""

    service = "ecs"
    exceptions = Exceptions("ClientException")

    def __init__(self, time: VirtualTime, faults: Faults) -> None:
        super().__init__(time, faults)
        self._running: dict[str, RunningContainer] = {}

    def add(self, container: RunningContainer) -> None:
        """Take note that a container runs."""
        self._running[container.arn] = container

    def remove(self, container: RunningContainer) -> None:
        """Take note that it has ended."""
        self._running.pop(container.arn, None)

    def running(self) -> list[RunningContainer]:
        """Return the containers that run."""
        return list(self._running.values())

    def describe_task_definition(self, *, taskDefinition: str) -> dict[str, Any]:  # noqa: N803 -- the names of boto3
        """Return the one revision of a family."""
        self._request("DescribeTaskDefinition")
        return {"taskDefinition": {"family": taskDefinition, "revision": 1, "containerDefinitions": []}}

    def get_paginator(self, operation: str) -> "_Tasks":
        """Return what pages through the tasks."""
        if operation != "list_tasks":
            raise NotImplementedError(f"The twin has no paginator for {operation}.")
        return _Tasks(self)

    def list_tasks(self, family: str) -> list[str]:
        """Return the tasks of a family that run."""
        self._request("ListTasks")
        return [container.arn for container in self.running() if container.family == family]

    def describe_tasks(self, *, cluster: str, tasks: Sequence[str]) -> Mapping[str, Any]:
        """Return some tasks, with the variables of their containers."""
        del cluster
        self._request("DescribeTasks")
        return {"tasks": [_describe(self._running[arn]) for arn in tasks if arn in self._running]}

    def stop_task(self, *, cluster: str, task: str, reason: str) -> dict[str, Any]:
        """Have a task end: at once where it looks, and by force after a while."""
        del cluster, reason
        self._request("StopTask")
        if container := self._running.get(task):
            container.stop()
            self._time.plan(STOP_SECONDS, lambda: self._kill(container))
        return {}

    def _kill(self, container: RunningContainer) -> None:
        if container.arn in self._running:
            container.process.kill()


class _Tasks:
    def __init__(self, ecs: MemoryECS) -> None:
        self._ecs = ecs

    def paginate(self, *, cluster: str, family: str, desiredStatus: str) -> Paginator:  # noqa: N803 -- the names of boto3
        del cluster, desiredStatus
        return Paginator([{"taskArns": self._ecs.list_tasks(family)}])


def _describe(container: RunningContainer) -> dict[str, Any]:
    variable = {"name": ORCHESTRATION_ID, "value": container.settings.orchestration_id}
    overrides = {"containerOverrides": [{"environment": [variable]}]}
    return {"taskArn": container.arn, "desiredStatus": "RUNNING", "overrides": overrides}
