"""The function that notifies: it exists with channels alone, and may send to them alone."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.notification_config import Topic, Webhook
from background_jobs.cdk.schedule_config import ScheduleConfig
from background_jobs.cdk.service_config import ServiceConfig
from background_jobs.cdk.validation import explain
from tests.infrastructure.conftest import Synthesize, of_type, statements_of

SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:ops-AbCdEf"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:team"
OPS = {"url": "https://hooks.example.com/jobs", "secret_arn": SECRET}


def environment(**fields: Any) -> EnvironmentConfig:
    services = (ServiceConfig(name="default", image="example.com/jobs"),)
    return EnvironmentConfig(environment="prod", services=services, **fields)


def notify_functions(template: dict[str, Any]) -> list[dict[str, Any]]:
    functions = of_type(template, "AWS::Lambda::Function")
    return [function for function in functions if function.get("Handler") == "notify.handler.handler"]


def test_an_environment_without_channels_has_no_function_for_them(synthesized: Synthesize) -> None:
    assert notify_functions(synthesized(environment())) == []


def test_the_function_may_send_to_what_is_declared_and_keeps_what_fails(synthesized: Synthesize) -> None:
    channels = {"ops": Webhook(**OPS), "team": Topic(arn=TOPIC)}

    template = synthesized(environment(notifications=channels))

    (function,) = notify_functions(template)
    variables = function["Environment"]["Variables"]
    assert json.loads(variables["BACKGROUND_JOBS_CHANNELS"]) == {
        "ops": {"type": "webhook", **OPS},
        "team": {"type": "topic", "topic_arn": TOPIC},
    }
    assert template["Outputs"]["NotifyChannels"]["Value"] == "ops,team"
    role = function["Role"]["Fn::GetAtt"][0]
    allowed = {
        statement["Action"]: statement["Resource"]
        for resource in template["Resources"].values()
        if {"Ref": role} in resource.get("Properties", {}).get("Roles", [])
        for statement in statements_of(resource)
        if isinstance(statement["Action"], str)
    }
    assert allowed["secretsmanager:GetSecretValue"] == SECRET
    assert allowed["sns:Publish"] == TOPIC
    assert "dynamodb:PutItem" not in str(allowed)
    (rule,) = [
        rule
        for rule in of_type(template, "AWS::Events::Rule")
        if "FunctionsNotify" in str(rule["Targets"]) and "JobCompletedEvent" in str(rule["EventPattern"])
    ]
    assert "DeadLetterConfig" in rule["Targets"][0]
    kept = [
        c for c in of_type(template, "AWS::Lambda::EventInvokeConfig") if "Notify" in str(c["FunctionName"])
    ]
    assert [config["DestinationConfig"]["OnFailure"] for config in kept] != []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"url": "http://hooks.example.com/"}, "must be https://"),
        ({"url": "https://user:pw@hooks.example.com/"}, "must be https://"),
        ({"url": "https://hooks.example.com/a b"}, "write it percent-encoded"),
        ({"url": "https://hooks.example.com/ä"}, "write it percent-encoded"),
        ({"url": "https://10.0.0.1/"}, "is an address of no public host"),
        ({"url": "https://169.254.169.254/latest"}, "is an address of no public host"),
        ({"url": "https://[::1]/"}, "is an address of no public host"),
        ({"secret_arn": "whsec_c2VjcmV0"}, "must be the whole ARN of a secret of Secrets Manager"),
    ],
)
def test_a_webhook_is_public_and_its_secret_is_in_secrets_manager(fields: Any, message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Webhook(**(OPS | fields))
    assert message in explain(refused.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"notifications": {"No Name": Topic(arn=TOPIC)}}, "must be 1 to 40 lower-case letters"),
        (
            {"notifications": {"team": Topic(arn=TOPIC)}, "region": "eu-west-1"},
            "channel 'team' is of region eu-central-1, and the environment is in eu-west-1",
        ),
        (
            {"notifications": {f"team-{n}": Topic(arn=f"{TOPIC}-{n}") for n in range(40)}},
            "let several receivers subscribe to one topic",
        ),
        (
            {
                "notifications": {"team": Topic(arn=TOPIC)},
                "schedules": (ScheduleConfig(name="nightly", job_name="x", cron="0 3 * * *", notify="teem"),),
            },
            "schedule 'nightly': There is no channel 'teem'",
        ),
    ],
)
def test_channels_that_cannot_be_are_refused_before_synthesis(fields: Any, message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        environment(**fields)
    assert message in explain(refused.value)
