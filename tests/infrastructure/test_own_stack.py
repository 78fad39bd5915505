"""The construct in a team's own stack: its VPC, bus and names, and grants for its functions."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.node import use_bundled_node
from background_jobs.cdk.service_config import ServiceConfig
from background_jobs.core.completion import JobCompletedEvent
from background_jobs.settings import Settings
from tests.infrastructure.conftest import Template, of_type, statements_of, text_of

if TYPE_CHECKING:
    from aws_cdk import Stack

    from background_jobs.cdk import BackgroundJobs

CONFIG = EnvironmentConfig(
    environment="prod",
    services=(
        ServiceConfig(name="default", image="registry.example/jobs:1", jobs=("report",)),
        ServiceConfig(name="billing", image="registry.example/billing:1", jobs=("invoice",)),
    ),
    event_log_table_name="shop-events",
    read_model_table_name="shop-jobs",
    payload_bucket_name="shop-payloads",
)
LAYER = Path(__file__).with_name("node")
Fill = Callable[["Stack", "BackgroundJobs"], None]


@pytest.fixture(scope="module")
def synthesized() -> Template:
    """A stack `shop` that is a team's, held to AWS's rules."""
    return synthesize(fill)


def synthesize(fill: Fill) -> Template:
    use_bundled_node()
    from aws_cdk import App, Stack
    from aws_cdk import aws_ec2 as ec2
    from aws_cdk import aws_events as events

    from background_jobs.cdk import BackgroundJobs
    from background_jobs.cdk.function_assets import FunctionAssets
    from background_jobs.cdk.synthesis import check_rules
    from background_jobs.package_files import lambda_code

    app = App(analytics_reporting=False)
    check_rules(app)
    stack = Stack(app, "shop")
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-1",
        availability_zones=["a", "b"],
        private_subnet_ids=["subnet-1", "subnet-2"],
    )
    bus = events.EventBus(stack, "ShopBus", event_bus_name="shop")
    assets = FunctionAssets(lambda_code(), LAYER)
    fill(stack, BackgroundJobs(stack, "Jobs", config=CONFIG, vpc=vpc, bus=bus, assets=assets))
    template: Template = app.synth().get_stack_by_name("shop").template
    return template


def fill(stack: "Stack", jobs: "BackgroundJobs") -> None:
    """Add two functions: one kicks off invoices, and one reads what came of all, when a report is done."""
    from aws_cdk import aws_events_targets as targets
    from aws_cdk import aws_iam as iam
    from aws_cdk import aws_lambda as lambda_

    functions = {}
    for name in ("Checkout", "Totals"):
        role = iam.Role(stack, f"{name}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        functions[name] = lambda_.Function(
            stack,
            name,
            runtime=lambda_.Runtime.PYTHON_3_14,
            handler="index.handler",
            code=lambda_.Code.from_inline("def handler(event, context): ..."),
            role=role,
        )
        jobs.add_environment(functions[name])
    jobs.grant_kick_off(functions["Checkout"], "billing")
    jobs.grant_read(functions["Totals"])
    jobs.on_job_completed(
        "Reported", target=targets.LambdaFunction(functions["Totals"]), job_name="report", tags={"shop": "eu"}
    )


def policy_of(template: Template, role: str) -> dict[str, set[str]]:
    """Return what the role of a function may do: by action, the resources as text."""
    found: dict[str, set[str]] = {}
    for logical_id, resource in template["Resources"].items():
        if logical_id.startswith(f"{role}RoleDefaultPolicy"):
            for statement in statements_of(resource):
                actions, places = statement["Action"], statement["Resource"]
                for action in [actions] if isinstance(actions, str) else actions:
                    found.setdefault(action, set()).update(
                        map(text_of, places if isinstance(places, list) else [places])
                    )
    return found


def test_containers_run_in_the_private_subnets_of_the_teams_vpc(synthesized: Template) -> None:
    (machine,) = of_type(synthesized, "AWS::StepFunctions::StateMachine")
    assert '"Subnets": ["subnet-1", "subnet-2"]' in text_of(machine["DefinitionString"])
    assert of_type(synthesized, "AWS::EC2::VPC") == []


def test_tables_bucket_and_bus_are_those_that_the_team_named(synthesized: Template) -> None:
    tables = of_type(synthesized, "AWS::DynamoDB::Table")
    assert sorted(table["TableName"] for table in tables) == ["shop-events", "shop-jobs"]
    assert [bucket["BucketName"] for bucket in of_type(synthesized, "AWS::S3::Bucket")] == ["shop-payloads"]
    (bus,) = of_type(synthesized, "AWS::Events::EventBus")
    assert bus["Name"] == "shop"
    # every rule that listens to a bus listens to it
    buses = {
        text_of(rule["EventBusName"])
        for rule in of_type(synthesized, "AWS::Events::Rule")
        if "EventBusName" in rule
    }
    assert len(buses) == 1
    assert buses.pop().startswith("ShopBus")


def test_a_function_has_the_variables_of_the_sdk(synthesized: Template) -> None:
    (checkout,) = [
        found["Properties"]
        for logical_id, found in synthesized["Resources"].items()
        if logical_id.startswith("Checkout") and found["Type"] == "AWS::Lambda::Function"
    ]
    variables = {name: text_of(value) for name, value in checkout["Environment"]["Variables"].items()}
    settings = Settings.from_env(variables)
    assert settings.service_names == ("default", "billing")
    assert settings.event_log_table.startswith("JobsSharedStorageEventLog")
    assert settings.event_bus.startswith("ShopBus")


def test_who_may_kick_off_for_one_service_reads_nothing(synthesized: Template) -> None:
    allowed = policy_of(synthesized, "Checkout")
    assert allowed.keys() == {"dynamodb:PutItem", "s3:PutObject", "s3:AbortMultipartUpload"}
    assert all("/billing/" in resource for resource in allowed["s3:PutObject"])


def test_who_may_read_writes_nothing(synthesized: Template) -> None:
    allowed = policy_of(synthesized, "Totals")
    assert allowed.keys() == {
        "dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query", "s3:GetObject", "s3:ListBucket",
        "logs:FilterLogEvents", "logs:GetLogEvents",
    }  # fmt: skip
    (logs,) = allowed["logs:GetLogEvents"]
    assert logs.endswith("log-group:shop-JobsServices*:*")


def test_a_completion_of_the_job_with_the_tags_invokes_the_teams_function(synthesized: Template) -> None:
    rules = of_type(synthesized, "AWS::Events::Rule")
    (rule,) = [rule for rule in rules if "Totals" in json.dumps(rule["Targets"])]
    pattern = JobCompletedEvent.pattern(job_name="report", tags={"shop": "eu"})
    assert rule["EventPattern"] == json.loads(json.dumps(pattern))


def test_a_network_or_a_bus_that_is_named_twice_is_refused() -> None:
    use_bundled_node()
    from aws_cdk import App, Stack
    from aws_cdk import aws_events as events

    from background_jobs.cdk import BackgroundJobs

    stack = Stack(App(analytics_reporting=False), "shop")
    config = CONFIG.model_copy(update={"event_bus": "jobs"})
    bus = events.EventBus(stack, "Bus")
    with pytest.raises(ValueError, match="environment 'prod' sets event_bus, and bus= is given as well"):
        BackgroundJobs(stack, "Jobs", config=config, bus=bus)


def test_a_grant_for_a_service_that_is_not_there_is_refused() -> None:
    def grant(_: "Stack", jobs: "BackgroundJobs") -> None:
        jobs.grant_kick_off(jobs.caller_policy, "biling")

    with pytest.raises(
        ValueError, match="there is no service 'biling' in this environment, but default, billing"
    ):
        synthesize(grant)


def names(template: dict[str, Any], kind: str) -> list[str]:
    return [name for name, found in template["Resources"].items() if found["Type"] == kind]


def test_the_names_that_policies_begin_with_are_those_of_the_resources(synthesized: Template) -> None:
    """Operators may ask about functions by the beginning of their names, which has the construct's id."""
    for kind in ("AWS::Lambda::Function", "AWS::Logs::LogGroup"):
        ours = [name for name in names(synthesized, kind) if not name.startswith(("Checkout", "Totals"))]
        assert {name[:4] for name in ours} == {"Jobs"}
    statements = [one for found in synthesized["Resources"].values() for one in statements_of(found)]
    (asking,) = [one for one in statements if one["Action"] == "lambda:GetFunctionConfiguration"]
    assert text_of(asking["Resource"]).endswith(":function:shop-Jobs*")
