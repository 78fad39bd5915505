"""The running tasks in ECS, which are stopped when their orchestration is ended from outside."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from background_jobs.aws.clients import reaching_aws
from background_jobs.core.containers.variables import ORCHESTRATION_ID

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient


class Tasks:
    """The tasks of one cluster."""

    def __init__(self, ecs: "ECSClient", cluster: str) -> None:
        self._ecs = ecs
        self._cluster = cluster

    @reaching_aws
    def stop(self, family: str, orchestration_id: str, reason: str) -> int:
        """Stop the tasks of an orchestration, and return how many were stopped.

        Step Functions names itself as the starter of all its tasks, so the injected id tells whose they are.
        """
        stopped = 0
        for arn in self._running(family, orchestration_id):
            self._ecs.stop_task(cluster=self._cluster, task=arn, reason=reason[:1024])
            stopped += 1
        return stopped

    def _running(self, family: str, orchestration_id: str) -> Iterator[str]:
        pages = self._ecs.get_paginator("list_tasks").paginate(
            cluster=self._cluster, family=family, desiredStatus="RUNNING"
        )
        for page in pages:
            if not page["taskArns"]:
                continue
            described = self._ecs.describe_tasks(cluster=self._cluster, tasks=page["taskArns"])
            for task in described["tasks"]:
                injected = [
                    variable.get("value")
                    for override in task.get("overrides", {}).get("containerOverrides", [])
                    for variable in override.get("environment", [])
                    if variable.get("name") == ORCHESTRATION_ID
                ]
                if orchestration_id in injected and task.get("desiredStatus") != "STOPPED":
                    yield task["taskArn"]
