"""The state machine in Step Functions that fans an orchestration out to containers."""

from typing import TYPE_CHECKING

from pydantic import BaseModel

from background_jobs.aws.clients import reaching_aws
from background_jobs.core.ids import execution_name

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class FanOutInput(BaseModel):
    """The input of an execution; its fields are named in the state machine's definition."""

    service: str
    orchestration_id: str
    job_name: str
    task_definition: str
    capacity_provider: str
    platform_version: str
    """Of Fargate; without meaning on other capacity."""
    bucket: str
    params_key: str
    shares_key: str
    parallelism: int
    total: int
    container_seconds: int
    """How long a container may take."""
    warm_queue: str = ""
    """The address of the queue in which shares are offered to warm workers; empty where there are none."""
    warm_shares: int = 0
    """How many of the first shares are offered."""


class StateMachine:
    """The one state machine of an environment."""

    def __init__(self, stepfunctions: "SFNClient", arn: str) -> None:
        self._stepfunctions = stepfunctions
        self._arn = arn

    def status(self) -> str:
        """Return its status: ``ACTIVE``, or ``DELETING``. Raises ClientError."""
        return self._stepfunctions.describe_state_machine(stateMachineArn=self._arn)["status"]

    @reaching_aws
    def stop(self, service: str, orchestration_id: str, error: str, cause: str) -> None:
        """Stop the execution of an orchestration; harmless where none runs."""
        executions = self._arn.replace(":stateMachine:", ":execution:")
        arn = f"{executions}:{execution_name(service, orchestration_id)}"
        try:
            self._stepfunctions.stop_execution(executionArn=arn, error=error, cause=cause)
        except self._stepfunctions.exceptions.ExecutionDoesNotExist:
            return
        except self._stepfunctions.exceptions.ClientError as refused:
            # An execution that has ended cannot be stopped any more.
            if refused.response["Error"]["Code"] != "ValidationException":
                raise

    @reaching_aws
    def start(self, fan_out: FanOutInput) -> None:
        """Start the one execution of the orchestration; starting it twice is harmless."""
        try:
            self._stepfunctions.start_execution(
                stateMachineArn=self._arn,
                name=execution_name(fan_out.service, fan_out.orchestration_id),
                input=fan_out.model_dump_json(),
            )
        except self._stepfunctions.exceptions.ExecutionAlreadyExists:
            return
