"""A service on EC2 hosts of the user's: its template, and the example of the document that makes the hosts."""

import json
import re
from typing import Any

import pytest

from background_jobs.cdk.environment_loading import load_environment
from background_jobs.cdk.network_config import ExistingSubnets
from background_jobs.cdk.node import use_bundled_node
from background_jobs.cdk.service_config import ServiceConfig
from tests.checkout import REPOSITORY
from tests.infrastructure.conftest import Synthesize, Template, of_type

LEARNING = ServiceConfig(
    name="learning",
    image="learning:1",
    capacity_provider="gpu-asg",
    gpus=2,
    cpu=6000,
    memory_mib=40_000,
    init_process=True,
)


@pytest.fixture
def template(synthesized: Synthesize) -> Template:
    environment = load_environment("prod")
    network = ExistingSubnets(subnet_ids=("subnet-1",), security_group_id="sg-1")
    services = (*environment.services, LEARNING)
    return synthesized(environment.model_copy(update={"services": services, "network": network}))


def task_of(template: Template, service: str) -> dict[str, Any]:
    (task,) = [
        task
        for task in of_type(template, "AWS::ECS::TaskDefinition")
        if task["Family"] == f"background-jobs-prod-{service}"
    ]
    return task


def variables(task: dict[str, Any]) -> dict[str, Any]:
    return {v["Name"]: v["Value"] for v in task["ContainerDefinitions"][0]["Environment"]}


def test_a_task_on_hosts_asks_for_their_gpus_and_for_nothing_that_only_fargate_has(
    template: Template,
) -> None:
    task = task_of(template, "learning")
    assert task["RequiresCompatibilities"] == ["EC2"]
    assert (task["NetworkMode"], task["Cpu"], task["Memory"]) == ("awsvpc", "6000", "40000")
    assert not {"RuntimePlatform", "EphemeralStorage"} & task.keys()
    (container,) = task["ContainerDefinitions"]
    assert container["ResourceRequirements"] == [{"Type": "GPU", "Value": "2"}]
    assert container["ReadonlyRootFilesystem"] is True
    # then the container tells where it runs, so that nobody takes it for one on Fargate
    assert variables(task)["BACKGROUND_JOBS_CAPACITY_PROVIDER"] == "gpu-asg"


def test_other_services_of_the_environment_stay_on_fargate(template: Template) -> None:
    task = task_of(template, "default")
    assert task["RequiresCompatibilities"] == ["FARGATE"]
    assert "BACKGROUND_JOBS_CAPACITY_PROVIDER" not in variables(task)


def test_the_cluster_knows_the_users_provider_beside_those_of_fargate(template: Template) -> None:
    (associated,) = of_type(template, "AWS::ECS::ClusterCapacityProviderAssociations")
    assert associated["CapacityProviders"] == ["FARGATE", "FARGATE_SPOT", "gpu-asg"]
    assert template["Outputs"]["ClusterName"]["Value"] == associated["Cluster"]


def test_the_hosts_of_the_document_join_the_cluster_under_the_name_of_the_provider() -> None:
    use_bundled_node()
    from aws_cdk import App, Environment

    # given the example as it is printed
    document = (REPOSITORY / "docs" / "deploying.md").read_text()
    (example,) = re.findall(r"```python\n([^`]*class GpuHosts[^`]*)```", document)
    names: dict[str, Any] = {}
    exec(example, names)
    # when it is synthesized for the cluster of an environment
    app = App(analytics_reporting=False)
    where = Environment(account="123456789012", region="eu-central-1")
    names["GpuHosts"](app, "hosts", cluster="cluster-of-prod", vpc_id="vpc-1a", env=where)
    template = app.synth().get_stack_by_name("hosts").template
    # then the hosts join that cluster, keep their role to themselves, and start from none
    (provider,) = of_type(template, "AWS::ECS::CapacityProvider")
    assert provider["Name"] == "gpu-asg"
    assert provider["AutoScalingGroupProvider"]["ManagedScaling"]["Status"] == "ENABLED"
    (launched,) = of_type(template, "AWS::EC2::LaunchTemplate")
    assert "ECS_CLUSTER=cluster-of-prod >>" in json.dumps(launched)
    assert "ECS_AWSVPC_BLOCK_IMDS=true" in json.dumps(launched)
    (group,) = of_type(template, "AWS::AutoScaling::AutoScalingGroup")
    assert (group["MinSize"], group["NewInstancesProtectedFromScaleIn"]) == ("0", True)
