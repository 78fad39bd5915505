"""The task definitions in ECS: which revision of a family is the latest."""

from typing import TYPE_CHECKING

from background_jobs.aws.clients import reaching_aws

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient


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
