"""From the first deployment to the last: what comes, what stays, and what goes."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from pydantic import ValidationError

from background_jobs.cdk.builder import explain_foreign_build
from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.environment_loading import InvalidEnvironment, load_environment
from background_jobs.cdk.network_config import ExistingSubnets
from tests.infrastructure.conftest import Synthesize, Template, of_type, text_of
from tests.infrastructure.test_stack import environment

STORED = ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key")


def resources(template: Template, *kinds: str) -> Iterable[dict[str, Any]]:
    return [resource for resource in template["Resources"].values() if resource["Type"] in kinds]


def test_a_development_environment_empties_its_bucket_when_it_is_destroyed(synthesized: Synthesize) -> None:
    emptied = resources(synthesized(load_environment("dev")), "Custom::S3AutoDeleteObjects")
    (bucket,) = [text_of(resource["Properties"]["BucketName"]) for resource in emptied]
    assert bucket.startswith("SharedStoragePayloadsBucket")
    # and what is to be kept is never emptied
    assert not resources(synthesized(load_environment("prod")), "Custom::S3AutoDeleteObjects")


def test_a_first_deployment_that_fails_leaves_nothing_behind_and_can_be_replaced(
    synthesized: Synthesize,
) -> None:
    # given data that outlives the stack
    first = synthesized(environment(protected=False, customer_key=True))
    later = synthesized(environment(customer_key=True))
    for template in (first, later):
        # then what a failed deployment has just made is deleted all the same
        kept = {resource["DeletionPolicy"] for resource in resources(template, *STORED)}
        assert kept == {"RetainExceptOnCreate"}
    # and nothing refuses to be, the first time
    protection = [
        [table["DeletionProtectionEnabled"] for table in of_type(template, "AWS::DynamoDB::Table")]
        for template in (first, later)
    ]
    assert protection == [[False, False], [True, True]]


@pytest.mark.parametrize(("protected", "expected"), [(True, True), (False, False)])
def test_the_stack_is_protected_from_deletion_but_not_the_first_time(
    *, protected: bool, expected: bool
) -> None:
    assert environment(protected=protected).deletion_protection is expected


def test_a_revision_that_a_deployment_replaces_can_still_be_run(template: Template) -> None:
    # given that CloudFormation deregisters what it replaces, and ECS runs no revision that is deregistered
    policies = {task["UpdateReplacePolicy"] for task in resources(template, "AWS::ECS::TaskDefinition")}
    assert policies == {"Retain"}


def test_logs_that_services_of_aws_write_do_not_fill_the_accounts_policy(synthesized: Synthesize) -> None:
    template = synthesized(environment(api_access_log=True))
    (machine,) = of_type(template, "AWS::StepFunctions::StateMachine")
    (api,) = of_type(template, "AWS::ApiGateway::Stage")
    (destination,) = machine["LoggingConfiguration"]["Destinations"]
    for arn in (
        destination["CloudWatchLogsLogGroup"]["LogGroupArn"],
        api["AccessLogSetting"]["DestinationArn"],
    ):
        (group,) = [name for name in template["Resources"] if name in str(arn)]
        assert template["Resources"][group]["Properties"]["LogGroupName"].startswith("/aws/vendedlogs/")


def test_spot_comes_to_a_cluster_that_is_there_already(synthesized: Synthesize) -> None:
    # given a new account, whose first cluster makes the role that capacity providers need
    template = synthesized(environment())
    assert "CapacityProviders" not in of_type(template, "AWS::ECS::Cluster")[0]
    (associated,) = of_type(template, "AWS::ECS::ClusterCapacityProviderAssociations")
    assert associated["CapacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
    assert "Cluster" in text_of(associated["Cluster"])


def test_nothing_that_an_account_has_once_is_named_without_the_region(template: Template) -> None:
    # given that IAM, buckets and the list of dashboards are those of all regions
    (dashboard,) = of_type(template, "AWS::CloudWatch::Dashboard")
    assert "AWS::Region" in text_of(dashboard["DashboardName"])
    for kind, name in (
        ("AWS::IAM::Role", "RoleName"),
        ("AWS::IAM::ManagedPolicy", "ManagedPolicyName"),
        ("AWS::S3::Bucket", "BucketName"),
    ):
        assert [made for made in of_type(template, kind) if name in made] == []
    # then containers of a second environment of that name call the services of their own region
    for task in of_type(template, "AWS::ECS::TaskDefinition"):
        variables = task["ContainerDefinitions"][0]["Environment"]
        assert {"Name": "AWS_REGION", "Value": {"Ref": "AWS::Region"}} in variables


def environments(*configs: EnvironmentConfig) -> Any:
    return patch("environments.ENVIRONMENTS", configs)


def test_two_environments_on_one_bus_are_refused_unless_they_are_apart() -> None:
    test = environment(environment="test")
    with (
        environments(environment(), test),
        pytest.raises(InvalidEnvironment, match="'prod' and 'test' have the same"),
    ):
        load_environment("prod")
    elsewhere = test.model_copy(update={"region": "eu-west-1"})
    emulated = test.model_copy(update={"environment": "local", "bundled": False})
    named = test.model_copy(update={"environment": "dev", "event_bus": "background-jobs-dev"})
    with environments(environment(), elsewhere, emulated, named):
        assert load_environment("test") == elsewhere


@pytest.mark.parametrize("region", ["cn-north-1", "us-gov-west-1"])
def test_a_partition_without_the_adapter_asks_for_one(synthesized: Synthesize, region: str) -> None:
    network = ExistingSubnets(subnet_ids=("subnet-1",), security_group_id="sg-1")
    where = {"region": region, "account": "123456789012", "network": network}
    with pytest.raises(ValidationError, match="name it with web_adapter_layer"):
        environment(**where)
    partition = "aws-cn" if region.startswith("cn-") else "aws-us-gov"
    layer = f"arn:{partition}:lambda:{region}:123456789012:layer:LambdaAdapterLayerArm64:1"
    template = synthesized(environment(**where, web_adapter_layer=layer))
    (api,) = [f for f in of_type(template, "AWS::Lambda::Function") if f["Handler"] == "progress_api/run.sh"]
    assert layer in api["Layers"]


@pytest.mark.parametrize(
    ("arm64", "machine", "emulator", "told"),
    [
        (True, ("x86_64", "Linux"), None, True),
        (True, ("x86_64", "Linux"), "qemu-aarch64", False),
        (True, ("x86_64", "Darwin"), None, False),
        (True, ("aarch64", "Linux"), None, False),
        (False, ("aarch64", "Linux"), None, True),
        (False, ("x86_64", "Linux"), None, False),
    ],
)
def test_a_builder_that_cannot_build_an_image_is_told_before_docker_fails(
    tmp_path: Path, *, arm64: bool, machine: tuple[str, str], emulator: str | None, told: bool
) -> None:
    if emulator:
        (tmp_path / emulator).touch()
    architecture, system = machine
    problem = explain_foreign_build(arm64=arm64, machine=architecture, system=system, emulators=tmp_path)
    assert (problem is not None) is told
    if problem:
        assert "binfmt --install" in problem
        assert f"arm64={not arm64}" in problem
