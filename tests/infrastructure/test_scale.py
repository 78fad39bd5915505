"""An environment of 60 services with 5 jobs each, measured against what AWS takes."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import pytest

from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.service_config import ServiceConfig
from background_jobs.core.containers.warm import WarmHours, WarmWorkers
from background_jobs.settings import SETTINGS_FILE, ExecutionSettings, Settings
from tests.infrastructure.conftest import Synthesize, Template, of_type, text_of, unpacked_settings

SERVICES: Final = 60
JOBS: Final = 5
RESOURCES: Final = 500
TEMPLATE_BYTES: Final = 1_000_000
OUTPUTS: Final = 200
OUTPUTS_BYTES: Final = 450_000
"""All values together; AWS documents no limit. Measured by AWS Amplify's developers (amplify-backend, pull 946)."""
MANAGED_POLICY: Final = 6_144
INLINE_POLICIES: Final = 10_240
VARIABLES_BYTES: Final = 4_096
TASK_DEFINITION_BYTES: Final = 64 * 1024
LONG: Final = {"AWS::Partition": "aws-us-gov", "AWS::AccountId": "1" * 12, "AWS::Region": "us-gov-east-1"}
"""The longest values of what is known only where it is deployed; an ARN of a resource has some 120 characters."""


HOURS: Final = WarmHours(start=7, end=19, days=("MON", "TUE", "WED", "THU", "FRI"), timezone="Europe/Berlin")


def service(number: int) -> ServiceConfig:
    return ServiceConfig(
        name=f"service-{number:02}-of-a-team",
        image=f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/service-{number}:1.0",
        jobs=tuple(f"service_{number:02}_job_number_{job}" for job in range(JOBS)),
        spot=number % 2 == 0,
        retention_days=30 + number,
        # each takes two more resources
        warm=WarmWorkers(count=2, idle_minutes=30, hours=HOURS) if number % 2 else WarmWorkers(),
        secrets={"DATABASE": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:database-AbCdEf"},
    )


@pytest.fixture(scope="module")
def config() -> EnvironmentConfig:
    services = tuple(service(number) for number in range(SERVICES))
    return EnvironmentConfig(
        environment="production",
        services=services,
        customer_key=True,
        notify="ops@example.com",
        user_pool_arn="arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_a1b2c3",
        user_pool_scopes=True,
    )


@pytest.fixture(scope="module")
def large(synthesized: Synthesize, config: EnvironmentConfig) -> Template:
    return synthesized(config)


def deployed(value: Any) -> Any:
    """Return a part of a template with what is known only when it is deployed, at its longest."""
    match value:
        case {"Fn::Join": [str(separator), [*parts]]}:
            return separator.join(str(deployed(part)) for part in parts)
        case {"Ref": str(name)}:
            return LONG.get(name, "x" * 120)
        case {"Fn::GetAtt": _}:
            return "x" * 120
        case dict():
            return {name: deployed(part) for name, part in value.items()}
        case list():
            return [deployed(part) for part in value]
    return value


def size(value: Any) -> int:
    return len(json.dumps(deployed(value), separators=(",", ":")))


def test_the_stack_is_within_the_limits_of_cloudformation(large: Template) -> None:
    assert len(large["Resources"]) <= RESOURCES
    assert len(json.dumps(large, separators=(",", ":"))) <= TEMPLATE_BYTES
    assert len(large["Outputs"]) <= OUTPUTS


def test_outputs_are_within_what_cloudformation_takes_and_are_the_settings_of_callers(
    large: Template, config: EnvironmentConfig
) -> None:
    values = {name: deployed(output["Value"]) for name, output in large["Outputs"].items()}
    assert len(values["JobNames"]) > 7_000
    assert sum(map(len, values.values())) <= OUTPUTS_BYTES / 10
    # an exported value would have 1,024 characters (cloudformation-coverage-roadmap, issue 685)
    assert all("Export" not in output for output in large["Outputs"].values())
    settings = Settings.from_outputs(values | {"ApiUrl": "https://x"})
    assert (settings.job_names, len(settings.service_names)) == (config.job_names, SERVICES)


def test_policies_are_within_the_limits_of_iam(large: Template) -> None:
    managed = [size(policy["PolicyDocument"]) for policy in of_type(large, "AWS::IAM::ManagedPolicy")]
    assert len(managed) >= SERVICES
    assert max(managed) <= MANAGED_POLICY
    of_roles: dict[str, int] = defaultdict(int)
    for name, resource in large["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::IAM::Policy":
            for role in properties["Roles"]:
                of_roles[text_of(role)] += size(properties["PolicyDocument"])
        elif resource["Type"] == "AWS::IAM::Role":
            of_roles[name] += sum(size(policy["PolicyDocument"]) for policy in properties.get("Policies", []))
    assert len(of_roles) > 2 * SERVICES
    # a state machine or a function of 60 services has no more statements than one of a single service
    assert max(of_roles.values()) <= INLINE_POLICIES / 2


def test_variables_are_within_the_limits_of_lambda_and_ecs(large: Template) -> None:
    for function in of_type(large, "AWS::Lambda::Function"):
        variables = deployed(function["Environment"]["Variables"])
        assert sum(len(name) + len(value) for name, value in variables.items()) <= VARIABLES_BYTES
    for task in of_type(large, "AWS::ECS::TaskDefinition"):
        assert size(task) <= TASK_DEFINITION_BYTES


def test_functions_find_the_names_of_all_services_and_jobs_in_a_file_beside_them(
    large: Template, config: EnvironmentConfig
) -> None:
    (function,) = [
        f
        for f in of_type(large, "AWS::Lambda::Function")
        if f["Handler"] == "start_orchestration.handler.handler"
    ]
    variables = deployed(function["Environment"]["Variables"])
    # given the layer where Lambda unpacks it
    packed = Path(variables[SETTINGS_FILE])
    assert packed.parent == Path("/opt")
    here = variables | {SETTINGS_FILE: str(unpacked_settings(large) / packed.name)}
    # then the function's settings are those of the environment
    settings = Settings.from_env(here)
    assert settings.job_names == config.job_names
    assert len(settings.job_names) == SERVICES * JOBS
    assert settings.service_names == tuple(service.name for service in config.services)
    assert settings.retention == config.retention
    assert ExecutionSettings.from_env(here).capacity_providers == config.capacity_providers
