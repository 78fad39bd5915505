"""The error messages for containers that failed to start or ended; the samples have the shape of ECS's Task.

They are written after the API reference of ECS and its list of stopped tasks' errors, in the PascalCase in
which Step Functions passes a task on as the cause of States.TaskFailed.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.model import ListShape, Shape, StructureShape

from background_jobs.core.task_failure import task_failure

SAMPLES = Path(__file__).with_name("task_failures")


def cause(name: str) -> str:
    return (SAMPLES / f"{name}.json").read_text()


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("essential_container_exited", "ContainerLost", "exit code 3; EssentialContainerExited: Essential container in task exited"),
        ("out_of_memory", "ContainerLost", "exit code 137; OutOfMemoryError: Container killed due to memory usage"),
        ("cannot_pull_image", "NotLaunched", "TaskFailedToStart: CannotPullContainerError: pull image manifest"),
        ("cannot_fetch_secret", "NotLaunched", "unable to retrieve secret from asm"),
        ("spot_interruption", "ContainerLost", "exit code 143; SpotInterruption: Your Spot Task was interrupted"),
        ("stopped_by_user", "ContainerLost", "UserInitiated: Task stopped by user"),
        ("wrong_architecture", "ContainerLost", "exit code 255; exec /usr/local/bin/python: exec format error"),
        ("no_network_interface", "NotLaunched", "Timeout waiting for network interface provisioning"),
    ],
)  # fmt: skip
def test_what_ecs_says_is_passed_on(name: str, kind: str, message: str) -> None:
    error = task_failure("States.TaskFailed", cause(name))
    assert error.type == kind
    assert message in error.message


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("out_of_memory", "Give the service more memory_mib"),
        ("cannot_pull_image", "Check that the image exists"),
        ("cannot_fetch_secret", "reach its secrets and its log"),
        ("spot_interruption", "without spot it does not"),
        ("wrong_architecture", "built for another architecture"),
    ],
)
def test_an_error_with_a_known_remedy_names_it(name: str, advice: str) -> None:
    assert advice in task_failure("States.TaskFailed", cause(name)).message


def test_our_container_is_told_apart_from_those_that_aws_adds() -> None:
    assert "exit code 1;" in task_failure("States.TaskFailed", cause("beside_a_security_agent")).message


@pytest.mark.parametrize(
    ("error", "cause", "message"),
    [
        (
            "ECS.InvalidParameterException",
            "Error retrieving subnet information for [subnet-1]: Rate exceeded (ErrorCode: Throttling) (Service: AmazonECS)",
            "Rate exceeded (ErrorCode: Throttling) (Service: AmazonECS). Use less parallelism",
        ),
        (
            "AmazonECS.Unknown",
            json.dumps({"Failures": [{"Reason": "Capacity is unavailable at this time."}], "Tasks": []}),
            "AmazonECS.Unknown: Capacity is unavailable at this time. Use more subnets",
        ),
        (
            "ECS.ClientException",
            "You've reached the limit on the number of vCPUs you can run concurrently (Service: AmazonECS)",
            'have the quota "Fargate On-Demand vCPU resource count" (L-3032A538;',
        ),
        ("ECS.AccessDeniedException", "User is not authorized to perform: ecs:RunTask", "deploy the stack again"),
        ("States.ItemReaderFailed", "", "States.ItemReaderFailed"),
        ("States.TaskFailed", "[]", "[]"),
    ],
)  # fmt: skip
def test_the_error_of_a_refused_launch_has_the_reason_from_aws(error: str, cause: str, message: str) -> None:
    failure = task_failure(error, cause)
    assert failure.type == "NotLaunched"
    assert message in failure.message


def test_a_container_that_ran_for_too_long_is_no_failed_launch() -> None:
    failure = task_failure("States.Timeout", "")
    assert failure.type == "ContainerTimeout"
    assert failure.message == "The container ran for longer than it may, and was stopped."


def test_a_cause_of_any_length_is_bounded() -> None:
    assert len(task_failure("ECS.ServerException", "x" * 30_000).message) < 3_000


@pytest.mark.parametrize(
    ("cause", "error_type"),
    [
        ('{"Failures": null}', "NotLaunched"),
        ('{"Failures": {"Reason": "x"}}', "NotLaunched"),
        ('{"Failures": ["x", null, {"Reason": 5}]}', "NotLaunched"),
        ('{"TaskArn": "a", "Containers": [null]}', "ContainerLost"),
        ('{"TaskArn": "a", "Containers": {"Name": "job"}}', "ContainerLost"),
        (
            '{"TaskArn": "a", "StopCode": 5, "StoppedReason": ["x"], "Containers": [{"Reason": {}}]}',
            "ContainerLost",
        ),
        ("[" * 50_000, "NotLaunched"),
    ],
)
def test_a_cause_of_any_shape_is_read(cause: str, error_type: str) -> None:
    """A function that fails on a cause would have its share closed, whose launch may only have to wait."""
    assert task_failure("ECS.ServerException", cause).type == error_type


def unknown_names(value: Any, shape: Shape, place: str = "Task") -> Iterator[str]:
    """Yield the names in a document that botocore's shape does not have; it begins them with a small letter."""
    if isinstance(shape, ListShape):
        for item in value:
            yield from unknown_names(item, shape.member, place)
    elif isinstance(shape, StructureShape):
        for name, item in value.items():
            member = shape.members.get(name[0].lower() + name[1:])
            if member is None:
                yield f"{place}.{name}"
            else:
                yield from unknown_names(item, member, f"{place}.{name}")


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_the_samples_have_no_field_that_a_task_has_not(sample: Path) -> None:
    shape = botocore.session.get_session().get_service_model("ecs").shape_for("Task")
    assert list(unknown_names(json.loads(sample.read_text()), shape)) == []
