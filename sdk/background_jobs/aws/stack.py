"""The stack of an environment in CloudFormation: its state, its outputs and its resources."""

from typing import TYPE_CHECKING, Final

from background_jobs.core.doctor.consistency import StackFacts

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

_NOT_THERE: Final = "ValidationError"


class Stack:
    """One stack, by its name."""

    def __init__(self, cloudformation: "CloudFormationClient", name: str) -> None:
        self._cloudformation = cloudformation
        self._name = name

    def describe(self) -> StackFacts | None:
        """Return its state and outputs; None if there is no such stack."""
        try:
            (stack,) = self._cloudformation.describe_stacks(StackName=self._name)["Stacks"]
        except self._cloudformation.exceptions.ClientError as refused:
            if refused.response["Error"].get("Code") != _NOT_THERE:
                raise
            return None
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        return StackFacts(self._name, stack["StackStatus"], outputs)

    def resources(self) -> dict[str, list[str]]:
        """Return the physical ids of its resources, by type; a call lists a hundred of them."""
        pages = self._cloudformation.get_paginator("list_stack_resources").paginate(StackName=self._name)
        found: dict[str, list[str]] = {}
        for page in pages:
            for resource in page["StackResourceSummaries"]:
                # What could not be made has none.
                if physical_id := resource.get("PhysicalResourceId"):
                    found.setdefault(resource["ResourceType"], []).append(physical_id)
        return found
