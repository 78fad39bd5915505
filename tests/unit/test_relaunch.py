"""Whether a share is launched again, by what AWS says of the launch that failed.

The messages are those of the Amazon ECS developer guide ("API failure reasons", "Stopped tasks error
messages") and of public issues; the names of errors are what Step Functions makes of them, "ECS." before those
of botocore's model, and AmazonECS.Unknown for RunTask's own list of failures.
"""

import json
from pathlib import Path

import botocore.session
import pytest

from background_jobs.core.containers.delays import DelayReason, delay_reason
from background_jobs.core.containers.relaunch import MENDS_ITSELF, Tries, decide_relaunch
from background_jobs.core.task_failure import read_failure

SAMPLES = Path(__file__).with_name("task_failures")
R = DelayReason


def failures(reason: str) -> str:
    return json.dumps(
        {"Failures": [{"Arn": "arn:aws:ecs:eu-central-1:1:task/x", "Reason": reason}], "Tasks": []}
    )


def not_started(reason: str) -> str:
    # Spot tasks name their capacity provider, which says nothing of the failure
    task = {"TaskArn": "arn", "StopCode": "TaskFailedToStart", "StoppedReason": reason}
    return json.dumps(task | {"CapacityProviderName": "FARGATE_SPOT"})


@pytest.mark.parametrize(
    ("error", "cause", "reason"),
    [
        ("ECS.AmazonECSException", "Rate exceeded (Service: AmazonECS; Error Code: ThrottlingException)", R.THROTTLED),
        ("ECS.InvalidParameterException", "Error retrieving subnet information for [subnet-1]: Rate exceeded", R.THROTTLED),
        ("ECS.InvalidParameterException", "Error retrieving security group information: Request limit exceeded. (ErrorCode: RequestLimitExceeded)", R.THROTTLED),
        ("States.TaskFailed", not_started("Unexpected EC2 error while attempting to create network interface: RequestLimitExceeded"), R.THROTTLED),
        ("States.TaskFailed", not_started("CannotPullContainerError: toomanyrequests: You have reached your pull rate limit"), R.THROTTLED),
        ("AmazonECS.Unknown", failures("Capacity is unavailable at this time. Please try again later"), R.CAPACITY),
        ("ECS.AmazonECSException", "Capacity is unavailable at this time. Please try again later", R.CAPACITY),
        ("AmazonECS.Unknown", failures("RESOURCE:CPU"), R.CAPACITY),
        ("States.TaskFailed", not_started("RESOURCE:GPU"), R.CAPACITY),
        ("States.TaskFailed", not_started("EMPTY CAPACITY"), R.CAPACITY),
        ("States.TaskFailed", not_started("NO ACTIVE INSTANCES"), R.CAPACITY),
        ("States.TaskFailed", not_started("AGENT"), R.CAPACITY),
        ("States.TaskFailed", not_started("Capacity is unavailable at this time. Please try again later"), R.CAPACITY),
        ("AmazonECS.Unknown", failures("You\u2019ve reached the limit on the number of vCPUs you can run concurrently"), R.QUOTA),
        ("ECS.ClientException", "You've reached the limit on the number of tasks you can run concurrently", R.QUOTA),
        ("ECS.ClientException", "The requested CPU configuration is above your limit", R.QUOTA),
        ("States.TaskFailed", not_started("Unexpected EC2 error: NetworkInterfaceLimitExceeded"), R.QUOTA),
        ("AmazonECS.Unknown", failures("RESOURCE:ENI"), R.ADDRESSES),
        ("States.TaskFailed", not_started("subnet-1 does not have enough free addresses"), R.ADDRESSES),
        ("ECS.ServerException", "Service Unavailable. Please try again later.", R.FAULT),
        ("ECS.SdkClientException", "Unable to execute HTTP request: Connect timed out", R.FAULT),
        ("States.TaskFailed", not_started("ResourceInitializationError: Timeout waiting for network interface provisioning to complete"), R.FAULT),
        ("States.TaskFailed", not_started("CannotPullContainerError: unexpected status code: 503 Service Unavailable"), R.FAULT),
    ],
)  # fmt: skip
def test_what_mends_itself_is_waited_for_without_end(error: str, cause: str, reason: DelayReason) -> None:
    failure = read_failure(error, cause)
    assert delay_reason(failure.reason) is reason
    decision = decide_relaunch(reason, Tries(waits=1_000), spot=False, draw=0.5)
    assert decision.wait_seconds is not None


@pytest.mark.parametrize(
    ("error", "cause", "reason", "launches"),
    [
        ("States.TaskFailed", (SAMPLES / "cannot_pull_image.json").read_text(), R.IMAGE, 3),
        ("States.TaskFailed", (SAMPLES / "cannot_fetch_secret.json").read_text(), R.START, 5),
        ("States.TaskFailed", not_started("CannotStartContainerError: failed to get container status"), R.START, 5),
        ("ECS.AccessDeniedException", "not authorized to perform: ecs:RunTask on arn:aws:ecs:::task-definition/quota-exceeded", R.REFUSED, 3),
        ("ECS.ClientException", "TaskDefinition is inactive", R.REFUSED, 3),
        ("ECS.InvalidParameterException", "The subnet ID 'subnet-1' does not exist", R.REFUSED, 3),
        ("AmazonECS.Unknown", failures("MISSING"), R.REFUSED, 3),
        ("States.ParameterPathFailure", "The JSONPath could not be found", R.REFUSED, 3),
    ],
)  # fmt: skip
def test_what_waiting_does_not_mend_is_given_up_after_a_few_launches(
    error: str, cause: str, reason: DelayReason, launches: int
) -> None:
    assert delay_reason(read_failure(error, cause).reason) is reason
    tries, waited = Tries(), 0
    for _ in range(launches - 1):
        seconds, tries, _ = decide_relaunch(reason, tries, spot=False, draw=0.99)
        assert seconds is not None
        waited += seconds
    assert decide_relaunch(reason, tries, spot=False, draw=0.99).wait_seconds is None
    assert waited < 180


def test_every_error_of_run_task_but_that_of_the_server_is_given_up() -> None:
    """The errors are those of botocore's model."""
    model = botocore.session.get_session().get_service_model("ecs").operation_model("RunTask")
    errors = {shape.name for shape in model.error_shapes}
    assert len(errors) > 8
    waited_for = {name for name in errors if delay_reason(f"ECS.{name}: message") in MENDS_ITSELF}
    assert waited_for == {"ServerException"}


@pytest.mark.parametrize(("spot", "launches"), [(False, 5), (True, 13)])
def test_a_lost_container_is_launched_again_as_often_as_before_whatever_was_waited_for(
    *, spot: bool, launches: int
) -> None:
    tries = Tries(waits=2_000, refusals=1)
    for _ in range(launches - 1):
        seconds, tries, _ = decide_relaunch(R.LOST, tries, spot=spot, draw=0.99)
        assert seconds is not None
        assert seconds <= 20
    assert decide_relaunch(R.LOST, tries, spot=spot, draw=0.99).wait_seconds is None


def test_the_log_is_told_of_a_reason_once_and_of_each_loss() -> None:
    tries, news = Tries(), []
    for reason in (R.QUOTA, R.QUOTA, R.CAPACITY, R.LOST, R.LOST, R.QUOTA):
        _, tries, is_news = decide_relaunch(reason, tries, spot=False, draw=0.5)
        news.append(is_news)
    assert news == [True, False, True, True, True, True]
    assert tries.notes == 5


def test_reasons_that_alternate_fill_no_log() -> None:
    tries, news = Tries(), 0
    for number in range(1_000):
        reason = R.QUOTA if number % 2 else R.THROTTLED
        _, tries, is_news = decide_relaunch(reason, tries, spot=False, draw=0.5)
        news += is_news
    assert news == 50
