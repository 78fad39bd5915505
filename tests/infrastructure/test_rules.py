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


def lint(template: Template, folder: Path) -> str:
    path = folder / "template.json"
    path.write_text(json.dumps(template))
    # W3005: CDK says for itself which resource waits for which.
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--ignore-checks", "W3005", "--", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("environment", [None, EVERYTHING], ids=["prod", "everything"])
def test_the_rules_of_aws_find_no_fault(
    synthesized: Synthesize, environment: EnvironmentConfig | None, tmp_path: Path
) -> None:
    # synthesis stops at the first fault of cdk-nag that is not acknowledged with a reason
    assert lint(synthesized(environment or load_environment("prod")), tmp_path) == ""


def test_a_fault_without_a_reason_stops_synthesis() -> None:
    use_bundled_node()
    from aws_cdk import App, Stack
    from aws_cdk import aws_s3 as s3

    app = App(analytics_reporting=False)
    check_rules(app)
    s3.Bucket(Stack(app, "Careless"), "Bucket")
    with pytest.raises(RuntimeError, match="server access logs disabled"):
        app.synth()


def test_a_resource_that_cloudformation_would_refuse_is_found(template: Template, tmp_path: Path) -> None:
    broken = json.loads(json.dumps(template))
    for resource in broken["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"]["Timeout"] = "long"
    assert "'long' is not of type 'integer'" in lint(broken, tmp_path)
