import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from moto.events.models import EventPattern

from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.dependencies import PYTHON
from background_jobs.cdk.environment_loading import load_environment
from background_jobs.cdk.network_config import ExistingSubnets, ExistingVpc, NewVpc
from background_jobs.cdk.node import use_bundled_node
from background_jobs.cdk.offline_template import shipped_files
from background_jobs.cdk.service_config import Permission, ServiceConfig
from background_jobs.cdk.synthesis import add_stack, write_assembly
from background_jobs.core.containers.variables import CONTAINER_NAME, task_family
from background_jobs.core.schedules.definition import schedule_group
from background_jobs.core.tables import HISTORY_INDEXES
from background_jobs.progress_api.problems import Problem
from background_jobs.settings import SETTINGS_FILE, ApiSettings, ExecutionSettings, Settings
from tests.infrastructure.conftest import (
    Synthesize,
    Template,
    of_type,
    resolved,
    statements_of,
    text_of,
    unpacked_settings,
)
from tests.infrastructure.policies import Request, lets

BILLING = ServiceConfig(
    name="billing",
    image="123456789012.dkr.ecr.eu-central-1.amazonaws.com/billing:1.0",
    jobs=("invoice", "remind"),
    cpu=1024,
    memory_mib=4096,
    arm64=False,
    spot=True,
    variables={"LOG_LEVEL": "DEBUG"},
    secrets={
        "DATABASE": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-AbCdEf:password::",
        "TOKEN": "arn:aws:ssm:eu-central-1:123456789012:parameter/token",
    },
    permissions=(
        Permission(
            actions=("s3:GetObject",), resources=("arn:aws:s3:::invoices/*",), reason="Jobs read invoices."
        ),
    ),
)


def environment(**fields: Any) -> EnvironmentConfig:
    return EnvironmentConfig(**({"environment": "prod", "services": (BILLING,)} | fields))


def statements(template: Template, within: str = "") -> Iterator[dict[str, Any]]:
    """Yield the statements of every policy whose place in the stack has *within* in it."""
    for name, resource in template["Resources"].items():
        if within in name:
            yield from statements_of(resource)


def is_api(resource: dict[str, Any]) -> bool:
    """Tell whether a resource is the function that serves the progress API."""
    return bool(resource.get("Properties", {}).get("Handler") == "progress_api/run.sh")


def api_variables(template: Template) -> dict[str, Any]:
    """Return the variables of the function that serves the progress API."""
    (function,) = filter(is_api, template["Resources"].values())
    return dict(function["Properties"]["Environment"]["Variables"])


def actions(statement: dict[str, Any]) -> list[str]:
    action = statement["Action"]
    return action if isinstance(action, list) else [action]


def allowing(template: Template, action: str, within: str = "") -> list[dict[str, Any]]:
    return [s for s in statements(template, within) if action in actions(s)]


def resources(statement: dict[str, Any]) -> list[str]:
    found = statement["Resource"]
    return [text_of(value) for value in (found if isinstance(found, list) else [found])]


def test_the_shipped_template_is_what_the_stack_synthesizes() -> None:
    for path, text in shipped_files().items():
        assert path.read_text() == text, "run `make synth` and commit what it wrote"


def test_nobody_may_change_or_delete_an_event(template: Template) -> None:
    allowed = {
        action for s in statements(template) for action in actions(s) if action.startswith("dynamodb:")
    }
    assert allowed == {
        "dynamodb:PutItem",
        "dynamodb:GetItem",
        "dynamodb:BatchGetItem",
        "dynamodb:Query",
        # Lambda reads the stream with these.
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
    }


def test_no_policy_allows_every_action_of_a_service(template: Template) -> None:
    assert [a for s in statements(template) for a in actions(s) if "*" in a] == []


EXAMINED: Final = {
    "cloudwatch:DescribeAlarms",
    "ecs:DescribeTaskDefinition",
    "lambda:GetAccountSettings",
    "logs:DescribeLogGroups",
    "servicequotas:GetAWSDefaultServiceQuota",
    "servicequotas:GetServiceQuota",
}
"""What operators may ask of the whole account; none of it can be allowed by resource, or it says nothing then."""


def test_every_resource_that_is_a_wildcard_is_one_that_aws_cannot_name(template: Template) -> None:
    anything = {a for s in statements(template) if resources(s) == ["*"] for a in actions(s)}
    assert anything >= EXAMINED
    anything -= EXAMINED - {"ecs:DescribeTaskDefinition"}
    traces_and_logs = ("logs", "xray")
    assert {action for action in anything if action.split(":")[0] not in traces_and_logs} == {
        "dynamodb:ListStreams",
        "ecs:DescribeTaskDefinition",
        "ecr:GetAuthorizationToken",
        "ecs:ListTasks",
        "scheduler:ListSchedules",
    }


def test_the_state_machine_runs_the_tasks_of_its_own_services_in_its_own_cluster_only(
    synthesized: Synthesize,
) -> None:
    template = synthesized(environment(services=(BILLING, ServiceConfig(name="reports", image="reports"))))
    (run,) = allowing(template, "ecs:RunTask")
    assert [arn.rsplit("/", 1)[1] for arn in resources(run)] == [f"{task_family('prod', '*')}:*"]
    assert list(run["Condition"]["ArnEquals"]) == ["ecs:cluster"]
    (pass_role,) = allowing(template, "iam:PassRole", within="StateMachine")
    (passed,) = resources(pass_role)
    path = passed.partition(":role")[2].removesuffix("*")
    assert path == "/background-jobs/prod/AWS::Region/"
    paths = {
        text_of(role["Path"])
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::IAM::Role" and "Path" in (role := resource["Properties"])
    }
    assert paths == {path}
    assert pass_role["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}


def found_by(variables: dict[str, Any]) -> dict[str, str]:
    """Return the variables of a process, without the file that is beside it only where it runs."""
    return {name: text_of(value) for name, value in variables.items() if name != SETTINGS_FILE}


def test_every_function_and_container_finds_all_its_settings(template: Template) -> None:
    functions = of_type(template, "AWS::Lambda::Function")
    (task,) = of_type(template, "AWS::ECS::TaskDefinition")
    (container,) = task["ContainerDefinitions"]
    processes = [function["Environment"]["Variables"] for function in functions]
    processes.append({variable["Name"]: variable["Value"] for variable in container["Environment"]})
    for variables in processes:
        plain = found_by(variables)
        assert Settings.from_env(plain).environment == "prod"
    executing = [e for e in processes if "BACKGROUND_JOBS_STATE_MACHINE_ARN" in e]
    assert len(executing) == 2
    for variables in executing:
        plain = found_by(variables)
        assert ExecutionSettings.from_env(plain).capacity_providers == {}
    following = [v for v in processes if "BACKGROUND_JOBS_FAILURE_QUEUE" in v]
    assert len(following) == 2
    assert len(functions) == 8


def test_every_function_runs_on_the_python_that_its_layer_is_built_for(template: Template) -> None:
    functions = of_type(template, "AWS::Lambda::Function")
    assert {(f["Runtime"], *f["Architectures"]) for f in functions} == {(f"python{PYTHON}", "arm64")}
    (layer,) = [x for x in of_type(template, "AWS::Lambda::LayerVersion") if "CompatibleRuntimes" in x]
    assert layer["CompatibleRuntimes"] == [f"python{PYTHON}"]


def test_the_outputs_are_the_settings_of_the_sdk(template: Template) -> None:
    outputs = {name: text_of(output["Value"]) for name, output in template["Outputs"].items()}
    # Paths are put behind the address, and begin with a slash.
    assert not outputs["ApiUrl"].endswith("/")
    url = {"ApiUrl": "https://0a1b2c.execute-api.eu-central-1.amazonaws.com/v1"}
    assert outputs.keys() >= {*url, "CallerPolicy", "OperatorPolicy"}
    settings = Settings.from_outputs(outputs | url)
    assert settings.payload_bucket == outputs["PayloadBucket"]
    assert settings.job_names == ("fingerprint",)


def test_jobs_are_known_only_where_every_service_says_which_it_has(synthesized: Synthesize) -> None:
    silent = ServiceConfig(name="reports", image="reports")
    assert synthesized(environment())["Outputs"]["JobNames"]["Value"] == "invoice,remind"
    assert "JobNames" not in synthesized(environment(services=(BILLING, silent)))["Outputs"]


def test_the_api_takes_signed_requests_only_and_streams_for_as_long_as_a_function_may(
    template: Template,
) -> None:
    methods = of_type(template, "AWS::ApiGateway::Method")
    assert [method["AuthorizationType"] for method in methods] == ["AWS_IAM", "AWS_IAM"]
    for method in methods:
        assert method["Integration"]["ResponseTransferMode"] == "STREAM"
        assert method["Integration"]["TimeoutInMillis"] == 15 * 60 * 1000
    (function,) = [
        f for f in of_type(template, "AWS::Lambda::Function") if f["Handler"] == "progress_api/run.sh"
    ]
    api = ApiSettings.from_env(found_by(function["Environment"]["Variables"]))
    assert api.stream_seconds is not None
    assert api.stream_seconds < function["Timeout"]
    assert api.json_log


SITES = ("https://app.example", "http://localhost:5173")


def test_pages_of_other_sites_can_ask_where_they_are_named_and_nothing_is_open_by_default(
    template: Template, synthesized: Synthesize
) -> None:
    # given an environment that names sites
    open_to_sites = synthesized(environment(api_cors_origins=SITES))
    paths = {
        name: resource["Properties"]["PathPart"]
        for name, resource in open_to_sites["Resources"].items()
        if resource["Type"] == "AWS::ApiGateway::Resource"
    }

    def list_open(template: Template) -> set[tuple[str, str]]:
        return {
            (method["HttpMethod"], paths.get(method["ResourceId"].get("Ref", ""), ""))
            for method in of_type(template, "AWS::ApiGateway::Method")
            if method["AuthorizationType"] == "NONE"
        }

    # then preflights and the streams that a token opens need no signature, and all else does
    preflights = {("OPTIONS", ""), ("OPTIONS", "{proxy+}"), ("OPTIONS", "streams")}
    assert list_open(open_to_sites) == preflights | {("GET", "streams")}
    assert list_open(template) == set()

    # and the tokens are under a key that only signs and verifies, which the API may have done
    (key,) = of_type(open_to_sites, "AWS::KMS::Key")
    assert (key["KeySpec"], key["KeyUsage"]) == ("HMAC_256", "GENERATE_VERIFY_MAC")
    variables = api_variables(open_to_sites)
    assert variables["BACKGROUND_JOBS_CORS_ORIGINS"] == ",".join(SITES)
    assert "Fn::GetAtt" in variables["BACKGROUND_JOBS_STREAM_TOKEN_KEY"]
    assert of_type(template, "AWS::KMS::Key") == []
    assert api_variables(template)["BACKGROUND_JOBS_STREAM_TOKEN_KEY"] == "none"


@pytest.mark.parametrize("origin", ["*", "app.example", "https://app.example/", "https://app.example/path"])
def test_what_is_no_origin_is_refused_with_an_example(origin: str) -> None:
    with pytest.raises(ValueError, match="write scheme and host") as refused:
        environment(api_cors_origins=(origin,))
    assert "'https://app.example'" in str(refused.value)


def test_what_api_gateway_refuses_by_itself_is_a_problem_too(
    template: Template, synthesized: Synthesize
) -> None:
    """A client that is made of the OpenAPI document cannot read API Gateway's own `{"message": ...}`."""
    answers = of_type(template, "AWS::ApiGateway::GatewayResponse")
    assert {"DEFAULT_4XX", "DEFAULT_5XX", "UNAUTHORIZED", "THROTTLED"} <= {
        one["ResponseType"] for one in answers
    }
    for answer in answers:
        problem = Problem.model_validate_json(answer["ResponseTemplates"]["application/json"])
        assert str(problem.status) == answer["StatusCode"]
        headers = {"gatewayresponse.header.Content-Type": "'application/problem+json'"}
        assert answer["ResponseParameters"] == headers
    # and pages of other sites can read it, where there are some
    for answer in of_type(
        synthesized(environment(api_cors_origins=SITES)), "AWS::ApiGateway::GatewayResponse"
    ):
        assert "gatewayresponse.header.Access-Control-Allow-Origin" in answer["ResponseParameters"]


def test_the_document_of_the_api_names_how_its_callers_authenticate(
    template: Template, synthesized: Synthesize
) -> None:
    pool = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_a1b2c3"
    ways = [
        api_variables(one)["BACKGROUND_JOBS_AUTHORIZATION"]
        for one in (template, synthesized(environment(user_pool_arn=pool)))
    ]
    assert ways == ["iam", "user_pool"]


def test_watchers_cannot_take_the_concurrency_of_all_other_functions_where_the_api_has_its_own(
    synthesized: Synthesize,
) -> None:
    functions = of_type(synthesized(environment(api_concurrency=50)), "AWS::Lambda::Function")
    reserved = {
        f["Handler"]: f["ReservedConcurrentExecutions"]
        for f in functions
        if "ReservedConcurrentExecutions" in f
    }
    assert reserved == {"progress_api/run.sh": 50}


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_a_first_deployment_reserves_no_concurrency_for_a_new_account_has_none_to_reserve(
    synthesized: Synthesize, name: str
) -> None:
    functions = of_type(synthesized(load_environment(name)), "AWS::Lambda::Function")
    assert all("ReservedConcurrentExecutions" not in function for function in functions)


def test_the_api_keeps_an_access_log_where_the_account_lets_it(synthesized: Synthesize) -> None:
    logged = synthesized(environment(api_access_log=True))
    for template, expected in ((logged, True), (synthesized(environment()), False)):
        (deployed,) = of_type(template, "AWS::ApiGateway::Stage")
        assert ("AccessLogSetting" in deployed) is expected


def test_a_user_pool_lets_holders_of_its_tokens_call_the_api(synthesized: Synthesize) -> None:
    pool = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_a1b2c3"
    template = synthesized(environment(user_pool_arn=pool))
    kinds = {method["AuthorizationType"] for method in of_type(template, "AWS::ApiGateway::Method")}
    assert kinds == {"COGNITO_USER_POOLS"}


def test_reading_and_kicking_off_need_scopes_of_their_own_where_the_environment_asks_for_them(
    synthesized: Synthesize,
) -> None:
    pool = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_a1b2c3"
    template = synthesized(environment(user_pool_arn=pool, user_pool_scopes=True))
    # given the scopes that the stack adds to the pool
    made = {
        f"{server['Identifier']}/{scope['ScopeName']}"
        for server in of_type(template, "AWS::Cognito::UserPoolResourceServer")
        for scope in server["Scopes"]
    }
    # then there is one for each service, and API Gateway asks for those that do not grow with the services:
    # reading takes any of them, and all else one that may allow to write
    name = f"background-jobs-prod.{{}}/{BILLING.name}"
    read, write, services = (f"background-jobs-prod/{what}" for what in ("read", "write", "services"))
    assert made == {read, write, services, name.format("read"), name.format("write")}
    found = {
        (method["HttpMethod"], tuple(method["AuthorizationScopes"]))
        for method in of_type(template, "AWS::ApiGateway::Method")
    }
    assert found == {
        ("GET", (read, write, services)),
        ("HEAD", (read, write, services)),
        ("POST", (write, services)),
        ("PUT", (write, services)),
        ("DELETE", (write, services)),
    }
    # and the API itself looks at the services that a token names
    assert api_variables(template)["BACKGROUND_JOBS_USER_POOL_SCOPES"] == "True"


def test_without_scopes_the_api_takes_callers_for_what_iam_or_the_pool_allowed(template: Template) -> None:
    assert api_variables(template)["BACKGROUND_JOBS_USER_POOL_SCOPES"] == "False"


def test_only_this_api_invokes_the_function_that_believes_in_its_claims(template: Template) -> None:
    (api,) = (name for name, resource in template["Resources"].items() if is_api(resource))
    allowed = [
        (permission["Principal"], text_of(permission["SourceArn"]).partition("/")[0])
        for permission in of_type(template, "AWS::Lambda::Permission")
        if api in json.dumps(permission["FunctionName"])
    ]
    (rest_api,) = (
        name for name, r in template["Resources"].items() if r["Type"] == "AWS::ApiGateway::RestApi"
    )
    assert allowed
    assert {principal for principal, _ in allowed} == {"apigateway.amazonaws.com"}
    assert all(arn.endswith(f":{rest_api}") for _, arn in allowed)
    # and no policy lets anybody else do so
    invoking = [s for s in statements(template) if "lambda:InvokeFunction" in actions(s)]
    assert invoking
    assert not [s for s in invoking if api in json.dumps(s["Resource"]) or s["Resource"] == "*"]


def test_scopes_without_a_user_pool_are_refused() -> None:
    with pytest.raises(ValueError, match="user_pool_scopes needs the pool; set user_pool_arn"):
        environment(user_pool_scopes=True)


def test_more_services_than_a_resource_server_has_scopes_are_refused() -> None:
    pool = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_a1b2c3"
    services = tuple(BILLING.model_copy(update={"name": f"billing-{number}"}) for number in range(101))
    environment(user_pool_arn=pool, user_pool_scopes=True, services=services[:100])
    with pytest.raises(ValueError, match="Cognito has 100, not 101; use several environments"):
        environment(user_pool_arn=pool, user_pool_scopes=True, services=services)


def test_roles_are_assumed_for_this_accounts_tasks_and_this_environments_schedules_only(
    template: Template,
) -> None:
    trust: dict[str, set[str]] = {}
    for role in of_type(template, "AWS::IAM::Role"):
        for statement in role["AssumeRolePolicyDocument"]["Statement"]:
            for keys in resolved(statement).values():
                for key, value in keys.items():
                    trust.setdefault(f"{text_of(statement['Principal']['Service'])} {key}", set()).add(value)
    here = "AWS::Region:AWS::AccountId"
    assert trust == {
        "ecs-tasks.amazonaws.com aws:SourceAccount": {"AWS::AccountId"},
        "ecs-tasks.amazonaws.com aws:SourceArn": {f"arn:AWS::Partition:ecs:{here}:*"},
        # CDK's own
        "states.amazonaws.com aws:SourceAccount": {"AWS::AccountId"},
        "states.amazonaws.com aws:SourceArn": {f"arn:AWS::Partition:states:{here}:stateMachine:*"},
        "scheduler.amazonaws.com aws:SourceAccount": {"AWS::AccountId"},
        "scheduler.amazonaws.com aws:SourceArn": {
            f"arn:AWS::Partition:scheduler:{here}:schedule-group/{schedule_group('prod')}"
        },
    }


def test_a_service_is_what_it_was_configured_to_be(synthesized: Synthesize) -> None:
    (task,) = of_type(synthesized(environment()), "AWS::ECS::TaskDefinition")
    assert task["Family"] == task_family("prod", "billing")
    assert (task["Cpu"], task["Memory"]) == ("1024", "4096")
    assert task["RuntimePlatform"]["CpuArchitecture"] == "X86_64"
    (container,) = task["ContainerDefinitions"]
    assert container["Name"] == CONTAINER_NAME
    assert container["ReadonlyRootFilesystem"] is True
    # what Fargate allows at most, and what Spot gives notice of
    assert container["StopTimeout"] == 120
    assert {"Name": "LOG_LEVEL", "Value": "DEBUG"} in container["Environment"]
    assert container["Secrets"] == [{"Name": name, "ValueFrom": arn} for name, arn in BILLING.secrets.items()]


def test_a_service_has_the_disk_the_init_process_and_the_log_mode_that_it_asks_for(
    synthesized: Synthesize,
) -> None:
    asking = BILLING.model_copy(
        update={"ephemeral_storage_gib": 100, "init_process": True, "log_mode": "blocking"}
    )
    for service, disk, init, mode in ((BILLING, None, None, "non-blocking"), (asking, 100, True, "blocking")):
        (task,) = of_type(synthesized(environment(services=(service,))), "AWS::ECS::TaskDefinition")
        (container,) = task["ContainerDefinitions"]
        assert task.get("EphemeralStorage", {}).get("SizeInGiB") == disk
        assert container.get("LinuxParameters", {}).get("InitProcessEnabled") == init
        assert container["LogConfiguration"]["Options"]["mode"] == mode


@pytest.mark.parametrize(
    ("zstd", "outputs"),
    [
        (True, ["type=image,oci-mediatypes=true,compression=zstd,force-compression=true"]),
        (False, None),
    ],
)
def test_an_image_is_compressed_by_zstd_where_that_is_asked_for(
    tmp_path: Path, *, zstd: bool, outputs: list[str] | None
) -> None:
    """CDK builds and pushes it when the stack is deployed, by what synthesis has written down."""
    use_bundled_node()
    from aws_cdk import App

    folder, assembly = tmp_path / "billing", tmp_path / "assembly"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch")
    service = ServiceConfig(name="billing", image=str(folder), dockerfile="Dockerfile", zstd=zstd)
    config = environment(services=(service,))
    app = App(outdir=str(assembly))
    add_stack(app, config, dependencies=folder)
    write_assembly(app, config)
    (manifest,) = assembly.glob("*.assets.json")
    (image,) = json.loads(manifest.read_text())["dockerImages"].values()
    assert image["source"].get("dockerOutputs") == outputs


@pytest.mark.parametrize("fields", [{"ephemeral_storage_gib": 20}, {"log_mode": "sometimes"}])
def test_what_fargate_does_not_offer_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(fields))):
        ServiceConfig(name="billing", image="b", **fields)


def test_tasks_have_the_tags_that_tell_what_each_service_costs(template: Template) -> None:
    (task,) = of_type(template, "AWS::ECS::TaskDefinition")
    tags = {tag["Key"]: tag["Value"] for tag in task["Tags"]}
    assert tags == {"background-jobs:service": "default", "background-jobs:environment": "prod"}
    # a task takes them from its definition only where the launch says so, and where tagging is allowed
    (machine,) = of_type(template, "AWS::StepFunctions::StateMachine")
    assert '"PropagateTags": "TASK_DEFINITION"' in text_of(machine["DefinitionString"])
    (tagging,) = allowing(template, "ecs:TagResource")
    assert tagging["Condition"] == {"StringEquals": {"ecs:CreateAction": "RunTask"}}


def test_each_service_has_roles_of_its_own_that_allow_what_it_needs(synthesized: Synthesize) -> None:
    other = ServiceConfig(name="reports", image="reports")
    template = synthesized(environment(services=(BILLING, other)))
    (reading,) = allowing(template, "secretsmanager:GetSecretValue")
    assert resources(reading) == ["arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-AbCdEf"]
    (reading,) = allowing(template, "ssm:GetParameters")
    assert resources(reading) == [BILLING.secrets["TOKEN"]]
    (pulling,) = allowing(template, "ecr:BatchGetImage", within="Services")
    assert resources(pulling) == ["arn:AWS::Partition:ecr:eu-central-1:123456789012:repository/billing"]
    own = "arn:aws:s3:::invoices/*"
    assert own in [r for s in statements(template, "billingTaskRole") for r in resources(s)]
    assert own not in [r for s in statements(template, "reportsTaskRole") for r in resources(s)]
    (payloads,) = [s for s in statements(template, "reportsTaskRole") if "s3:PutObject" in actions(s)]
    assert [name.partition("/")[2] for name in resources(payloads)] == ["orchestrations/reports/*"]


def test_who_reads_payloads_can_tell_an_expired_one_from_a_forbidden_one(template: Template) -> None:
    # S3 says that an object is missing only to those who may list its bucket
    for who in ("CallersPolicy", "CallersOperators", "KickOff", "ProgressApi"):
        (listing,) = allowing(template, "s3:ListBucket", within=who)
        (bucket,) = resources(listing)
        assert "PayloadsBucket" in bucket
        assert "*" not in bucket


def test_where_a_service_runs_is_known_to_whoever_starts_executions(synthesized: Synthesize) -> None:
    reports = ServiceConfig(name="reports", image="reports", platform_version="1.4.0")
    template = synthesized(environment(services=(BILLING, reports)))
    (layer,) = unpacked_settings(template).glob("*.json")
    variables = json.loads(layer.read_text())
    assert variables["BACKGROUND_JOBS_CAPACITY_PROVIDERS"] == "billing=FARGATE_SPOT"
    assert variables["BACKGROUND_JOBS_PLATFORM_VERSIONS"] == "reports=1.4.0"


def awsvpc(template: Template) -> dict[str, Any]:
    (machine,) = of_type(template, "AWS::StepFunctions::StateMachine")
    definition = json.loads(text_of(machine["DefinitionString"]))
    states = definition["States"]["FanOut"]["ItemProcessor"]["States"]
    found: dict[str, Any] = states["RunContainer"]["Parameters"]["NetworkConfiguration"][
        "AwsvpcConfiguration"
    ]
    return found


def test_by_default_containers_are_in_public_subnets_without_nat(template: Template) -> None:
    assert awsvpc(template)["AssignPublicIp"] == "ENABLED"
    assert len(awsvpc(template)["Subnets"]) == 2
    assert of_type(template, "AWS::EC2::NatGateway") == []
    assert len(of_type(template, "AWS::EC2::VPCEndpoint")) == 2


def test_private_subnets_reach_what_containers_need_through_endpoints(synthesized: Synthesize) -> None:
    template = synthesized(environment(network=NewVpc(private=True, endpoints=("sqs",))))
    assert awsvpc(template)["AssignPublicIp"] == "DISABLED"
    assert of_type(template, "AWS::EC2::NatGateway") == of_type(template, "AWS::EC2::InternetGateway") == []
    names = {text_of(e["ServiceName"]).split(".", 3)[-1] for e in of_type(template, "AWS::EC2::VPCEndpoint")}
    assert {name.removeprefix("com.amazonaws.AWS::Region.") for name in names} == {
        "dynamodb", "s3", "ecr.api", "ecr.dkr", "logs", "secretsmanager", "ssm", "sqs",
    }  # fmt: skip


def test_an_existing_network_can_be_used(synthesized: Synthesize) -> None:
    where = {"account": "123456789012", "region": "eu-central-1"}
    looked_up = synthesized(environment(network=ExistingVpc(vpc_id="vpc-0a1b2c3d"), **where))
    named = synthesized(
        environment(network=ExistingSubnets(subnet_ids=("subnet-1", "subnet-2"), security_group_id="sg-1"))
    )
    for template in (looked_up, named):
        assert of_type(template, "AWS::EC2::VPC") == of_type(template, "AWS::EC2::Subnet") == []
        assert awsvpc(template)["AssignPublicIp"] == "DISABLED"
    assert awsvpc(named)["Subnets"] == ["subnet-1", "subnet-2"]
    assert awsvpc(named)["SecurityGroups"] == ["sg-1"]


def test_data_outlives_the_stack_where_it_is_to_be_kept(synthesized: Synthesize) -> None:
    for keep, policy in ((True, "RetainExceptOnCreate"), (False, "Delete")):
        template = synthesized(environment(keep_data=keep, customer_key=True))
        kept = [
            resource["DeletionPolicy"]
            for resource in template["Resources"].values()
            if resource["Type"] in ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key")
        ]
        assert kept == [policy] * 4
        tables = of_type(template, "AWS::DynamoDB::Table")
        assert [table["DeletionProtectionEnabled"] for table in tables] == [keep] * 2


def test_the_event_log_streams_new_images_and_can_be_restored(template: Template) -> None:
    (log,) = [t for t in of_type(template, "AWS::DynamoDB::Table") if "StreamSpecification" in t]
    assert log["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}
    assert log["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert log["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


def test_tables_are_warm_where_the_environment_asks_for_it(synthesized: Synthesize) -> None:
    for asked, expected in ((None, [None, None]), (12_000, [{"WriteUnitsPerSecond": 12_000}] * 2)):
        tables = of_type(synthesized(environment(warm_throughput=asked)), "AWS::DynamoDB::Table")
        assert [table.get("WarmThroughput") for table in tables] == expected


def test_the_history_has_its_indexes(template: Template) -> None:
    (table,) = [t for t in of_type(template, "AWS::DynamoDB::Table") if "GlobalSecondaryIndexes" in t]
    assert {index["IndexName"] for index in table["GlobalSecondaryIndexes"]} == set(HISTORY_INDEXES)


def test_the_bucket_is_closed_to_the_public_and_to_requests_without_tls(template: Template) -> None:
    (bucket,) = of_type(template, "AWS::S3::Bucket")
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    (policy,) = of_type(template, "AWS::S3::BucketPolicy")
    denied = [s["Condition"] for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
    assert {"Bool": {"aws:SecureTransport": "false"}} in denied
    assert {"NumericLessThan": {"s3:TlsVersion": 1.2}} in denied


def test_a_customer_key_encrypts_all_that_is_stored(synthesized: Synthesize) -> None:
    template = synthesized(environment(customer_key=True))
    (name,) = [n for n, r in template["Resources"].items() if r["Type"] == "AWS::KMS::Key"]
    key = {"Fn::GetAtt": [name, "Arn"]}
    for table in of_type(template, "AWS::DynamoDB::Table"):
        assert table["SSESpecification"]["KMSMasterKeyId"] == key
    (bucket,) = of_type(template, "AWS::S3::Bucket")
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"KMSMasterKeyID": key, "SSEAlgorithm": "aws:kms"}
    assert {json.dumps(log["KmsKeyId"]) for log in of_type(template, "AWS::Logs::LogGroup")} == {
        json.dumps(key)
    }
    (queue,) = of_type(template, "AWS::SQS::Queue")
    assert queue["KmsMasterKeyId"] == key


def test_a_customer_key_is_used_through_the_services_that_store_only(synthesized: Synthesize) -> None:
    (key,) = of_type(synthesized(environment(customer_key=True)), "AWS::KMS::Key")
    root, through, logs, rules = key["KeyPolicy"]["Statement"]
    assert text_of(root["Principal"]["AWS"]).endswith(":root")
    condition = through["Condition"]["StringEquals"]
    assert [text_of(name).split(".")[0] for name in condition["kms:ViaService"]] == ["dynamodb", "s3", "sqs"]
    assert condition["kms:CallerAccount"] == {"Ref": "AWS::AccountId"}
    assert text_of(logs["Principal"]["Service"]).startswith("logs.")
    assert rules["Principal"] == {"Service": "events.amazonaws.com"}
    assert not [a for s in (through, logs, rules) for a in s["Action"] if "*" in a]


def test_retention_and_sizes_are_those_of_the_environment(synthesized: Synthesize) -> None:
    template = synthesized(environment(retention_days=14, log_days=7, function_memory_mib=512))
    assert {log["RetentionInDays"] for log in of_type(template, "AWS::Logs::LogGroup")} == {7}
    assert {f["MemorySize"] for f in of_type(template, "AWS::Lambda::Function")} == {512}
    (bucket,) = of_type(template, "AWS::S3::Bucket")
    assert bucket["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] == 14
    assert template["Outputs"]["RetentionDays"]["Value"] == "14"


def test_data_of_a_service_is_kept_for_the_services_own_time(synthesized: Synthesize) -> None:
    ledger = ServiceConfig(name="ledger", image="i", retention_days=365)
    brief = ServiceConfig(name="brief", image="i", retention_days=7)
    template = synthesized(environment(services=(BILLING, ledger, brief), retention_days=90))
    (bucket,) = of_type(template, "AWS::S3::Bucket")
    rules = bucket["LifecycleConfiguration"]["Rules"]
    # then the longest rule is for all objects, and a shorter one removes those of its service earlier
    assert {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule} == {
        "orchestrations/": 365,
        "orchestrations/billing/": 90,
        "orchestrations/brief/": 7,
    }
    values = {name: output["Value"] for name, output in template["Outputs"].items()}
    known = {name: value if isinstance(value, str) else "https://x" for name, value in values.items()}
    settings = Settings.from_outputs(known)
    days = {name: settings.retention.of(name).days for name in ("billing", "ledger", "brief", "")}
    assert days == {"billing": 90, "ledger": 365, "brief": 7, "": 365}
    assert settings.service_names == ("billing", "ledger", "brief")


def test_stream_mappings_give_poison_records_up_and_keep_them(template: Template) -> None:
    mappings = of_type(template, "AWS::Lambda::EventSourceMapping")
    assert len(mappings) == 2
    for mapping in mappings:
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert mapping["BisectBatchOnFunctionError"] is True
        # a number of retries may be spent in minutes; the record's age ends them, before the stream forgets it
        assert mapping.get("MaximumRetryAttempts", -1) == -1
        assert 3_600 <= mapping["MaximumRecordAgeInSeconds"] < 86_400
        assert "OnFailure" in mapping["DestinationConfig"]
    # and what they can never read, they send there themselves
    (queue,) = [name for name, r in template["Resources"].items() if r["Type"] == "AWS::SQS::Queue"]
    functions = of_type(template, "AWS::Lambda::Function")
    variables = [function["Environment"]["Variables"] for function in functions]
    urls = [v["BACKGROUND_JOBS_FAILURE_QUEUE"] for v in variables if "BACKGROUND_JOBS_FAILURE_QUEUE" in v]
    assert urls == [{"Ref": queue}] * 2
    for function in ("AggregateJobs", "StartOrchestration"):
        (sending,) = allowing(template, "sqs:SendMessage", within=function)
        assert sending["Resource"] == {"Fn::GetAtt": [queue, "Arn"]}


INSERTED: Final = {"eventName": "INSERT", "dynamodb": {"NewImage": {"type": {"S": "Block"}}}}
STARTED: Final = {"eventName": "INSERT", "dynamodb": {"NewImage": {"type": {"S": "OrchestrationStarted"}}}}
REPLACED: Final = STARTED | {"eventName": "MODIFY"}
REMOVED: Final = {"eventName": "REMOVE", "dynamodb": {}}
REMOVED_BY_SERVICE: Final = REMOVED | {"userIdentity": {"type": "Service", "principalId": "x.amazonaws.com"}}
EXPIRED: Final = REMOVED | {"userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"}}
"""As DynamoDB's stream has them: who removed an item is said where it was DynamoDB itself."""


@pytest.mark.parametrize(
    ("function", "records"),
    [
        ("StartOrchestration", [STARTED]),
        ("AggregateJobs", [INSERTED, STARTED, REPLACED, REMOVED, REMOVED_BY_SERVICE]),
    ],
)
def test_the_stream_invokes_functions_for_what_is_appended_replaced_or_removed_but_not_for_what_expires(
    template: Template, function: str, records: list[Any]
) -> None:
    mappings = of_type(template, "AWS::Lambda::EventSourceMapping")
    (mapping,) = [m for m in mappings if function in text_of(m["FunctionName"])]
    patterns = [EventPattern.load(f["Pattern"]) for f in mapping["FilterCriteria"]["Filters"]]
    everything: list[Any] = [INSERTED, STARTED, REPLACED, REMOVED, REMOVED_BY_SERVICE, EXPIRED]
    assert [r for r in everything if any(pattern.matches_event(r) for pattern in patterns)] == records


def test_events_that_the_bus_could_not_deliver_are_kept_too(template: Template) -> None:
    invoked = of_type(template, "AWS::Lambda::EventInvokeConfig")
    assert all("OnFailure" in config["DestinationConfig"] for config in invoked)
    names = sorted(text_of(config["FunctionName"])[: len("FunctionsKickOff")] for config in invoked)
    assert names == ["FunctionsEndOrch", "FunctionsKickOff"]


def test_what_a_rule_cannot_deliver_goes_to_the_queue_that_has_an_alarm(template: Template) -> None:
    # given every rule of the stack
    rules = of_type(template, "AWS::Events::Rule")
    assert len(rules) == 5
    # then each of its targets has the failure queue for what it cannot be handed
    queues = {text_of(t["DeadLetterConfig"]["Arn"]) for rule in rules for t in rule["Targets"]}
    ((queue, _),) = [(n, r) for n, r in template["Resources"].items() if r["Type"] == "AWS::SQS::Queue"]
    assert queues == {queue}
    # and that queue takes it from rules of this account
    policy = [
        statement | {"Resource": text_of(statement["Resource"]), "Condition": resolved(statement)}
        for made in of_type(template, "AWS::SQS::QueuePolicy")
        for statement in made["PolicyDocument"]["Statement"]
    ]
    rule = "arn:AWS::Partition:events:AWS::Region:AWS::AccountId:rule/any"
    here = {"aws:SourceAccount": ["AWS::AccountId"], "aws:SourceArn": [rule], "aws:SecureTransport": ["true"]}
    elsewhere = here | {"aws:SourceAccount": ["210987654321"]}
    for context, expected in ((here, True), (elsewhere, False)):
        request = Request("sqs:SendMessage", queue, context)
        assert lets(policy, "events.amazonaws.com", request) is expected
    # and its alarm rings for the first message
    (alarm,) = [
        a
        for a in of_type(template, "AWS::CloudWatch::Alarm")
        if a.get("MetricName") == "ApproximateNumberOfMessagesVisible"
    ]
    assert text_of(alarm["Dimensions"][0]["Value"]) == queue
    assert alarm["Threshold"] == 1


@pytest.mark.parametrize("name", ["dev", "prod", "local"])
def test_every_environment_of_this_repository_synthesizes(synthesized: Synthesize, name: str) -> None:
    assert synthesized(load_environment(name))["Outputs"]["Environment"]["Value"] == name
