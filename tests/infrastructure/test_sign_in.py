"""The stack of an environment whose people sign in: what lets them in, and who else comes in by it."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.service_config import ServiceConfig
from background_jobs.cdk.sign_in_config import ConsoleSignIn
from background_jobs.settings import SignInSettings
from tests.infrastructure.conftest import Synthesize, Template, of_type, statements_of, text_of

SERVICE = ServiceConfig(name="billing", image="123456789012.dkr.ecr.eu-central-1.amazonaws.com/billing:1.0")
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:console-AbCdEf"
OKTA = ConsoleSignIn(
    issuer="https://example.okta.com",
    client_id="0oa1",
    client_secret_arn=SECRET,
    readers="*",
    operators="sre",
    url="https://jobs.example.com",
)


def environment(console: ConsoleSignIn, **fields: Any) -> EnvironmentConfig:
    return EnvironmentConfig(environment="prod", services=(SERVICE,), console=console, **fields)


@pytest.fixture(scope="module")
def with_pool(synthesized: Synthesize) -> Template:
    return synthesized(environment(ConsoleSignIn(cognito=True)))


@pytest.fixture(scope="module")
def with_okta(synthesized: Synthesize) -> Template:
    return synthesized(environment(OKTA))


def api_of(template: Template) -> dict[str, Any]:
    functions = of_type(template, "AWS::Lambda::Function")
    (api,) = [function for function in functions if function["Handler"] == "progress_api/run.sh"]
    return api


def sign_in_of(template: Template) -> SignInSettings:
    variables = api_of(template)["Environment"]["Variables"]
    return SignInSettings().model_copy(
        update={
            field: text_of(variables[f"BACKGROUND_JOBS_{field.upper()}"])
            for field in SignInSettings.model_fields
        }
    )


def paths(template: Template) -> dict[str, str]:
    """Return how each path of the API authorises."""
    parts = {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::ApiGateway::Resource"
    }

    def path(reference: dict[str, Any]) -> str:
        name = reference.get("Ref", "")
        return f"{path(parts[name]['ParentId'])}/{parts[name]['PathPart']}" if name in parts else ""

    methods = of_type(template, "AWS::ApiGateway::Method")
    return {path(method["ResourceId"]): method["AuthorizationType"] for method in methods}


@pytest.mark.parametrize("fixture", ["with_pool", "with_okta"])
def test_only_the_path_of_people_asks_for_no_signature(fixture: str, request: pytest.FixtureRequest) -> None:
    template = request.getfixturevalue(fixture)
    assert paths(template) == {"": "AWS_IAM", "/{proxy+}": "AWS_IAM", "/web": "NONE", "/web/{proxy+}": "NONE"}


def test_without_a_console_nothing_asks_for_no_signature(template: Template) -> None:
    assert paths(template) == {"": "AWS_IAM", "/{proxy+}": "AWS_IAM"}
    assert of_type(template, "AWS::Cognito::UserPool") == []


def test_the_pool_takes_who_is_invited_with_a_second_factor(with_pool: Template) -> None:
    (pool,) = of_type(with_pool, "AWS::Cognito::UserPool")
    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}
    assert (pool["MfaConfiguration"], pool["EnabledMfas"]) == ("ON", ["SOFTWARE_TOKEN_MFA"])
    groups = of_type(with_pool, "AWS::Cognito::UserPoolGroup")
    assert {group["GroupName"] for group in groups} == {"readers", "operators"}


def test_the_client_of_the_pool_gives_codes_and_leads_back_to_the_console_only(with_pool: Template) -> None:
    (client,) = of_type(with_pool, "AWS::Cognito::UserPoolClient")
    assert client["AllowedOAuthFlows"] == ["code"]
    (back,) = client["CallbackURLs"]
    url = sign_in_of(with_pool).console_url
    assert text_of(back) == url.removesuffix("console") + "sign-in/callback"
    assert [text_of(one) for one in client["LogoutURLs"]] == [url]
    assert client["PreventUserExistenceErrors"] == "ENABLED"
    # nobody writes the address of another into their own profile
    assert client["WriteAttributes"] == []


def test_the_function_knows_the_provider_and_its_groups(with_pool: Template, with_okta: Template) -> None:
    own, okta = sign_in_of(with_pool), sign_in_of(with_okta)
    assert "People" in own.sign_in_issuer
    assert own.sign_in_groups_claim == "cognito:groups"
    assert okta.sign_in_issuer == "https://example.okta.com"
    assert (okta.sign_in_readers, okta.sign_in_operators) == ("*", "sre")
    assert okta.console_url == "https://jobs.example.com/web/console"
    assert of_type(with_okta, "AWS::Cognito::UserPool") == []


def test_the_function_of_the_api_alone_reads_the_secrets(with_okta: Template) -> None:
    reading = {
        name: [text_of(one) for one in _several(statement["Resource"])]
        for name, resource in with_okta["Resources"].items()
        for statement in statements_of(resource)
        if "secretsmanager:GetSecretValue" in _several(statement["Action"])
    }
    names = [name for name in reading if "ProgressApi" not in name]
    assert names == []
    assert SECRET in json.dumps(with_okta["Resources"])
    (secret,) = of_type(with_okta, "AWS::SecretsManager::Secret")
    assert secret["GenerateSecretString"]["PasswordLength"] == 64


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_callers_and_notifications_are_told_the_address_of_the_console(with_okta: Template) -> None:
    assert with_okta["Outputs"]["ConsoleUrl"]["Value"] == "https://jobs.example.com/web/console"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "name one provider: cognito=True, or issuer='https://…' with client_id='…'"),
        ({"cognito": True, "issuer": "https://a.example", "client_id": "x"}, "name one provider"),
        ({"cognito": True, "client_id": "x"}, "the stack makes its own client of its pool"),
        ({"issuer": "https://a.example"}, "client_id is missing"),
        ({"issuer": "http://a.example", "client_id": "x"}, "an address without query, as in 'https://"),
        ({"cognito": True, "readers": "ops", "operators": "ops"}, "name two groups"),
        ({"cognito": True, "readers": "all ops"}, "has a space, which Cognito does not take"),
        ({"cognito": True, "url": "https://a.example/"}, "ends with a slash; leave it out"),
        ({"issuer": "https://a.example", "client_id": "x", "client_secret_arn": "s3cret"}, "the whole ARN"),
    ],
)
def test_what_lets_nobody_sign_in_is_refused_while_synthesizing(
    fields: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValidationError, match="console") as refused:
        ConsoleSignIn(**fields)
    assert sentence in str(refused.value)
