"""The task definitions in ECS: which revision of a family is the latest, and what is in it."""

from typing import TYPE_CHECKING, Final

from background_jobs.aws.clients import reaching_aws
from background_jobs.core.containers.capacity import ON_DEMAND
from background_jobs.core.containers.variables import CONTAINER_NAME
from background_jobs.core.containers.warm import WARM_QUEUE
from background_jobs.core.doctor.services import TaskDefinitionFacts
from background_jobs.settings import PREFIX

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient


CAPACITY_PROVIDER: Final = f"{PREFIX}CAPACITY_PROVIDER"


class TaskDefinitions:
    """Finds revisions, so that whoever starts something can keep to one of them."""

    def __init__(self, ecs: "ECSClient") -> None:
        self._ecs = ecs

    @reaching_aws
    def latest(self, family: str) -> str:
        """Return the latest active revision of *family*, ``family:7``; where there is none, *family* itself.

        A launch by a family that does not exist is refused with a reason, which then is told of each share.
        """
        try:
            definition = self._ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
        except self._ecs.exceptions.ClientException:
            return family
        return f"{family}:{definition['revision']}"

    def find_log_streams(self, definition: str) -> str:
        """Return ``<log group>/<prefix>/<container>``, where tasks of a revision write; empty if nowhere.

        The name of a stream goes on with the id of the task. Source: Amazon ECS Developer Guide, "Example
        Amazon ECS task definition: Route logs to CloudWatch". Raises ClientError.
        """
        found = self._ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]
        for container in found["containerDefinitions"]:
            options = container.get("logConfiguration", {}).get("options", {})
            if container.get("name") == CONTAINER_NAME and "awslogs-stream-prefix" in options:
                return f"{options['awslogs-group']}/{options['awslogs-stream-prefix']}/{CONTAINER_NAME}"
        return ""

    def facts(self, family: str) -> TaskDefinitionFacts | None:
        """Return what is in the latest active revision of *family*; None if it has none. Raises ClientError.

        A family that is unknown or has been deregistered is refused alike, as ClientException.
        """
        try:
            found = self._ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
        except self._ecs.exceptions.ClientException:
            return None
        (container, *_) = found["containerDefinitions"]
        variables = {pair.get("name"): pair.get("value", "") for pair in container.get("environment", [])}
        return TaskDefinitionFacts(
            revision=f"{family}:{found['revision']}",
            status=found.get("status", "ACTIVE"),
            cpu=int(found.get("cpu", 0)),
            architecture=found.get("runtimePlatform", {}).get("cpuArchitecture", "X86_64"),
            image=container.get("image", ""),
            log_group=container.get("logConfiguration", {}).get("options", {}).get("awslogs-group", ""),
            capacity_provider=variables.get(CAPACITY_PROVIDER) or ON_DEMAND,
            is_warm=WARM_QUEUE in variables,
        )
