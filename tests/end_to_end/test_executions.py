"""What Step Functions says of an orchestration whose instances have all their outcomes."""

import boto3

from background_jobs import OrchestrationService
from tests.offline import until


def test_an_execution_succeeds_whatever_became_of_the_instances(service: OrchestrationService) -> None:
    orchestration = service.kick_off_job("fussy", [{}, {"bad": 1}], parallelism=2)
    states = boto3.client("stepfunctions")  # noqa: TID251 -- an operator's look
    (machine,) = states.list_state_machines()["stateMachines"]
    arn = machine["stateMachineArn"].replace(":stateMachine:", ":execution:") + f":{orchestration.id}"

    def ended() -> str | None:
        status: str = states.describe_execution(executionArn=arn)["status"]
        return None if status == "RUNNING" else status

    until(lambda: orchestration.summary().done)
    assert until(ended) == "SUCCEEDED"
