"""Independent rules: cdk-nag for the stack as a whole, and cfn-lint for the schema of each resource."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.environment_loading import load_environment
from background_jobs.cdk.network_config import NewVpc
from background_jobs.cdk.node import use_bundled_node
from background_jobs.cdk.service_config import ServiceConfig
from background_jobs.cdk.synthesis import check_rules
from tests.infrastructure.conftest import Synthesize, Template
from tests.infrastructure.test_stack import BILLING

EVERYTHING = EnvironmentConfig(
    environment="prod",
    services=(BILLING, ServiceConfig(name="default", image="./job_container")),
    network=NewVpc(private=True),
    customer_key=True,
    notify="ops@example.com",
)


Faults = dict[str, list[str]]


def make_broken(template: Template) -> Template:
    """Give each function a time-out that CloudFormation would refuse."""
    broken: Template = json.loads(json.dumps(template))
    for resource in broken["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"]["Timeout"] = "long"
    return broken


@pytest.fixture(scope="module")
def faults(synthesized: Synthesize, tmp_path_factory: pytest.TempPathFactory) -> Faults:
    """What cfn-lint finds in each template; one process looks at all, for it takes some seconds to start."""
    folder, prod = tmp_path_factory.mktemp("templates"), synthesized(load_environment("prod"))
    templates = {"prod": prod, "everything": synthesized(EVERYTHING), "broken": make_broken(prod)}
    for name, template in templates.items():
        (folder / f"{name}.json").write_text(json.dumps(template))
    # W3005: CDK says for itself which resource waits for which.
    command: list[Path | str] = [
        Path(sys.executable).with_name("cfn-lint"),
        "--ignore-checks",
        "W3005",
        "--format",
        "json",
    ]
    paths = [folder / f"{name}.json" for name in templates]
    done = subprocess.run([*command, "--", *paths], capture_output=True, text=True, check=False)
    found: Faults = {name: [] for name in templates}
    for fault in json.loads(done.stdout):
        found[Path(fault["Filename"]).stem].append(f"{fault['Rule']['Id']} {fault['Message']}")
    return found


@pytest.mark.parametrize("environment", ["prod", "everything"])
def test_the_rules_of_aws_find_no_fault(faults: Faults, environment: str) -> None:
    # synthesis stops at the first fault of cdk-nag that is not acknowledged with a reason
    assert faults[environment] == []


def test_a_fault_without_a_reason_stops_synthesis() -> None:
    use_bundled_node()
    from aws_cdk import App, Stack
    from aws_cdk import aws_s3 as s3

    app = App(analytics_reporting=False)
    check_rules(app)
    s3.Bucket(Stack(app, "Careless"), "Bucket")
    with pytest.raises(RuntimeError, match="server access logs disabled"):
        app.synth()


def test_a_resource_that_cloudformation_would_refuse_is_found(faults: Faults) -> None:
    assert any("'long' is not of type 'integer'" in fault for fault in faults["broken"])
