"""Which revision of its task definition an orchestration runs, and on what, whatever is deployed meanwhile."""

from typing import Any

from background_jobs.aws import clients
from background_jobs.aws.state_machine import FanOutInput, StateMachine
from background_jobs.aws.task_definitions import TaskDefinitions
from background_jobs.control_plane.start_orchestration import start_orchestration
from background_jobs.core.containers.variables import task_family
from background_jobs.settings import ExecutionSettings, Settings
from tests.unit.histories import started

EXECUTION = ExecutionSettings(state_machine_arn="machine", cluster_arn="cluster")


class Started(StateMachine):
    """Keeps the inputs of executions."""

    def __init__(self) -> None:
        self.inputs: list[FanOutInput] = []

    def start(self, fan_out: FanOutInput) -> None:
        self.inputs.append(fan_out)


def deploy(settings: Settings, image: str) -> None:
    containers: Any = [{"name": "job", "image": image, "memory": 512}]
    family = task_family(settings.environment, "default")
    clients.ecs().register_task_definition(family=family, containerDefinitions=containers)


def start(settings: Settings, execution: ExecutionSettings = EXECUTION) -> FanOutInput:
    machine = Started()
    start_orchestration([started(3)], settings, execution, machine, TaskDefinitions(clients.ecs()))
    (fan_out,) = machine.inputs
    return fan_out


def test_an_orchestration_keeps_the_revision_that_was_the_latest_when_it_began(settings: Settings) -> None:
    # given an orchestration that began after a deployment
    deploy(settings, "jobs:1")
    deploy(settings, "jobs:2")
    first = start(settings).task_definition
    # when another image is deployed while it runs
    deploy(settings, "jobs:3")
    # then its state machine launches the image that it began with, and that of a later one the new one
    images = [
        clients.ecs().describe_task_definition(taskDefinition=revision)["taskDefinition"][
            "containerDefinitions"
        ][0]["image"]
        for revision in (first, start(settings).task_definition)
    ]
    assert images == ["jobs:2", "jobs:3"]


def test_a_first_container_may_take_no_longer_than_its_params_are_kept(settings: Settings) -> None:
    machine, days = Started(), settings.model_copy(update={"retention_days": 1})
    start_orchestration([started(3)], days, EXECUTION, machine, TaskDefinitions(clients.ecs()))
    # an hour before they are removed, and five minutes for a container that is stuck
    assert [fan_out.container_seconds for fan_out in machine.inputs] == [23 * 3600 + 300]


def test_a_service_that_is_not_deployed_is_left_to_its_launch_to_refuse(settings: Settings) -> None:
    assert start(settings).task_definition == task_family(settings.environment, "default")


def test_containers_run_on_the_capacity_and_the_platform_that_their_service_names(settings: Settings) -> None:
    variables = {
        "BACKGROUND_JOBS_STATE_MACHINE_ARN": "machine",
        "BACKGROUND_JOBS_CLUSTER_ARN": "cluster",
        "BACKGROUND_JOBS_CAPACITY_PROVIDERS": "reports=gpu-asg,default=FARGATE_SPOT",
        "BACKGROUND_JOBS_PLATFORM_VERSIONS": "default=1.4.0",
    }
    named = start(settings, ExecutionSettings.from_env(variables))
    assert (named.capacity_provider, named.platform_version) == ("FARGATE_SPOT", "1.4.0")
    # a service that names none is on demand, on the latest
    usual = start(settings)
    assert (usual.capacity_provider, usual.platform_version) == ("FARGATE", "LATEST")
