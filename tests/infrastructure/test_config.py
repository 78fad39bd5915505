import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from background_jobs import Stage
from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.environment_loading import InvalidEnvironment, load_environment, load_first
from background_jobs.cdk.network_config import ExistingSubnets, ExistingVpc, NewVpc
from background_jobs.cdk.node import use_bundled_node
from background_jobs.cdk.schedule_config import ScheduleConfig
from background_jobs.cdk.service_config import Permission, ServiceConfig
from background_jobs.cdk.synthesis import TooManyResources, add_stack, write_assembly
from background_jobs.cdk.validation import explain
from background_jobs.core.schedules.definition import Overlap
from tests.checkout import REPOSITORY

if TYPE_CHECKING:
    from aws_cdk.cx_api import CloudAssembly

SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-AbCdEf"


def service(**fields: Any) -> ServiceConfig:
    return ServiceConfig(**({"name": "billing", "image": "i"} | fields))


ON_HOSTS = service(name="learning", capacity_provider="gpu-asg", gpus=4, cpu=30_000, memory_mib=200_000)


def environment(**fields: Any) -> EnvironmentConfig:
    return EnvironmentConfig(**({"environment": "prod", "services": (service(),)} | fields))


def assert_one_sentence(refused: ValidationError, beginning: str) -> None:
    """The sentence begins with what was refused, which it names once."""
    assert (sentence := explain(refused)).startswith(beginning)
    assert sentence.count(beginning) == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"cpu": 300}, "no cpu=300; use one of"),
        ({"cpu": 256, "memory_mib": 8192}, r"with cpu=256 Fargate has no memory_mib=8192; use one of \[512"),
        ({"retention_days": 0}, "retention_days=0 must be greater than or equal to 1"),
        ({"name": "Billing Service"}, "name='Billing Service' must be 1 to 40 lower-case letters"),
        ({"image": "./billing"}, "there is no folder .*billing to build its image from"),
        ({"image": "job_container"}, r"is a folder here; to build from it, write './job_container'"),
        (
            {"image": "./docs"},
            r"there is no Dockerfile in .*docs; name the right one with dockerfile=",
        ),
        ({"jobs": ("a", "b", "a")}, "these jobs are named twice: a"),
        (
            {"variables": {"JOB_NAME": "x", "BACKGROUND_JOBS_ENVIRONMENT": "y"}},
            "set by us: BACKGROUND_JOBS_ENVIRONMENT, JOB_NAME",
        ),
        ({"variables": {"A": "x"}, "secrets": {"A": SECRET}}, "both in variables and in secrets: A"),
        ({"secrets": {"A": "hunter2"}}, r"secrets\['A'\]='hunter2' is no ARN of a secret"),
        (
            {"max_memory_mib": 1024},
            r"max_memory_mib=1024 is no size of Fargate above memory_mib=1024; .*2048",
        ),
        ({"max_memory_mib": 5000}, r"max_memory_mib=5000 is no size of Fargate .* \[4096, 5120, 6144\]"),
        ({"max_memory_mib": "8192"}, "max_memory_mib='8192' must be a valid integer"),
        ({"spot": "yes"}, "spot='yes' must be a valid boolean"),
        *(
            (
                {"warm": warm},
                rf"warm={warm!r} is no number of workers; use one from 0 to 1,000, or WarmWorkers\(",
            )
            for warm in (-1, "2", True, 1.5)
        ),
        ({"memory": 512}, r"there is no field memory; did you mean 'memory_mib'\?"),
        ({"colour": "red"}, "there is no field colour; there are: name, image, dockerfile, jobs, cpu"),
        ({"jobs": "invoice"}, "jobs must be a tuple; one of a single element ends with a comma"),
        ({"zstd": True}, "zstd is for an image that is built from a folder"),
        ({"log_mode": "lazy"}, "log_mode='lazy' must be 'non-blocking' or 'blocking'"),
        ({"cpu": "much"}, "cpu='much' must be a valid integer"),
        ({"platform_version": "1.4"}, "platform_version='1.4' must be 'LATEST', or a version in full"),
        ({"gpus": 1}, "Fargate has no GPUs; name a capacity_provider of your own"),
        ({"capacity_provider": "gpu asg"}, "capacity_provider='gpu asg' must be 1 to 255 letters"),
        ({"capacity_provider": "FARGATE_SPOT"}, "named as AWS's own; .* use spot=True"),
        ({"capacity_provider": "gpu-asg", "cpu": 64}, "EC2 has no cpu=64; use 128 to 196608"),
        (
            {
                "capacity_provider": "gpu-asg",
                "spot": True,
                "platform_version": "1.4.0",
                "ephemeral_storage_gib": 50,
            },
            "only Fargate has spot, platform_version, ephemeral_storage_gib; leave them out, or leave out",
        ),
        (
            {"capacity_provider": "gpu-asg", "spot": True},
            "only Fargate has spot; leave it out, or leave out capacity_provider",
        ),
    ],
)
def test_a_service_that_cannot_run_is_refused_with_a_sentence(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message) as refused:
        service(**fields)
    assert_one_sentence(refused.value, f"service {fields.get('name', 'billing')!r}: ")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"services": (service(), service())}, "named twice: billing"),
        ({"services": ()}, "services is empty"),
        ({"services": service()}, "services must be a tuple; one of a single element ends with a comma"),
        ({"services": ({"name": "mail"},)}, "service 'mail': image is missing"),
        ({"environment": "Prod"}, "environment='Prod' must be 1 to 20 lower-case letters"),
        ({"region_name": "eu"}, r"there is no field region_name; did you mean 'region'\?"),
        ({"log_days": 31}, r"CloudWatch cannot keep logs for log_days=31; use one of \[1, 3"),
        ({"notify": "ops"}, "notify='ops' is neither an e-mail address nor the ARN of an SNS topic"),
        (
            {"notify": "arn:aws:sns:eu-west-1:123456789012:ops", "region": "eu-central-1"},
            "notify is of region eu-west-1, and the environment is in eu-central-1",
        ),
        ({"user_pool_arn": "eu-central-1_a1b2c3"}, "user_pool_arn='eu-central-1_a1b2c3' is no ARN of a user"),
        (
            {"user_pool_arn": "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-west-1_a1b2c3"},
            "is no ARN of a user pool, such as",
        ),
        ({"notify": "ops@example.com", "monitored": False}, "notify needs monitored=True"),
        ({"account": "12"}, "account='12' must be the 12 digits of an AWS account"),
        ({"max_parallelism": 10_001}, "max_parallelism=10001 must be less than or equal to 10000"),
        ({"warm_throughput": 1_000}, "greater than or equal to 4000"),
        ({"network": ExistingVpc(vpc_id="vpc-1a")}, "to look up vpc-1a, account and region must be known"),
        (
            {"services": (ON_HOSTS,), "network": NewVpc()},
            "containers of learning run on a capacity provider of your own, .* use private ones",
        ),
        (
            {
                "services": (ON_HOSTS,),
                "network": ExistingSubnets(subnet_ids=("subnet-1",), security_group_id="sg-1", public=True),
            },
            "containers of learning run on a capacity provider of your own, .* use private ones",
        ),
        ({"network": NewVpc(private=True)}, "do not reach the registry of 'i'; push it to ECR"),
    ],
)
def test_an_environment_that_cannot_be_deployed_is_refused_with_a_sentence(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message) as refused:
        environment(**fields)
    assert_one_sentence(refused.value, f"environment {fields.get('environment', 'prod')!r}: ")


def test_hosts_in_private_subnets_need_the_endpoints_of_ecs() -> None:
    on_hosts = ON_HOSTS.model_copy(
        update={"image": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/learning:1"}
    )
    # given a network without some of the endpoints
    with pytest.raises(ValidationError, match=r"the hosts of learning reach ECS .* write ") as refused:
        environment(services=(on_hosts,), network=NewVpc(private=True, endpoints=("sqs", "ecs")))
    # when the line is written as the sentence says
    line = explain(refused.value).split("write ")[1]
    assert line == "NewVpc(private=True, endpoints=('sqs', 'ecs', 'ecs-agent', 'ecs-telemetry'))"
    network = NewVpc(private=True, endpoints=("sqs", "ecs", "ecs-agent", "ecs-telemetry"))
    # then the environment is accepted
    assert environment(services=(on_hosts,), network=network).network == network


POOL = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbC"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:ops"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"retention_days": 3_000_000}, "retention_days=3000000 must be less than or equal to 36500"),
        ({"variables": {"A=B": "x"}}, "must be the name of a variable"),
        ({"variables": {"AWS_REGION": "x"}}, "these variables are set by us: AWS_REGION"),
        ({"secrets": {"AWS_REGION": SECRET}}, "these variables are set by us: AWS_REGION"),
        ({"jobs": ("",)}, "jobs\\[0\\] is empty"),
        ({"jobs": ("a,b",)}, "with commas between them; these have some: a,b"),
        ({"platform_version": "1.3.0"}, "1.3.0 of Fargate has neither arm64 nor .* use 1.4.0 or later"),
        (
            {"platform_version": "1.3.0", "arm64": False, "ephemeral_storage_gib": 50},
            "1.3.0 of Fargate has neither arm64 nor ephemeral_storage_gib",
        ),
        ({"capacity_provider": "gpu", "memory_mib": -1}, "no container runs in memory_mib=-1; use 6 or more"),
    ],
)
def test_a_service_that_ecs_or_our_settings_do_not_take_is_refused(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        service(**fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"services": (service(name="a-1"), service(name="a1"))},
            "'a-1' and 'a1' would have the same output CallerPolicyOfA1",
        ),
        ({"retention_days": 10**7}, "less than or equal to 36500"),
        ({"stalled_after_seconds": float("inf")}, "finite number"),
        ({"event_bus": "default"}, "event_bus='default' is a name of AWS's own"),
        ({"event_bus": "aws.partner"}, "event_bus='aws.partner' is a name of AWS's own"),
        ({"event_bus": "a/b"}, "event_bus='a/b' must be 1 to 256 letters"),
        ({"region": ""}, "region='' must be a region, as in"),
        ({"region": "nowhere"}, "region='nowhere' must be a region, as in"),
        ({"user_pool_arn": "pool"}, "is no ARN of a user pool"),
        (
            {"user_pool_arn": POOL, "user_pool_scopes": True, "region": "us-east-1"},
            "user_pool_arn is of region eu-central-1, and the",
        ),
        ({"notify": TOPIC, "region": "us-east-1"}, "notify is of region eu-central-1, and the environment"),
        (
            {
                "services": tuple(
                    ON_HOSTS.model_copy(update={"name": f"s{n}", "capacity_provider": f"p{n}"})
                    for n in range(19)
                ),
                "network": ExistingSubnets(subnet_ids=("subnet-1",), security_group_id="sg-1"),
            },
            "a cluster has 18 capacity providers of your own at most, not 19",
        ),
    ],
)
def test_an_environment_that_a_service_of_aws_would_refuse_is_refused_before(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        environment(**fields)


@pytest.mark.parametrize("subnets", [("my subnet",), tuple(f"subnet-{n:x}" for n in range(17))])
def test_subnets_are_ids_and_no_more_than_a_task_takes(subnets: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match="subnet_ids"):
        ExistingSubnets(subnet_ids=subnets, security_group_id="sg-1")


@pytest.mark.parametrize("endpoint", ["", "s3", "com.amazonaws.eu-central-1.sqs"])
def test_endpoints_are_short_names_of_services_that_have_none_yet(endpoint: str) -> None:
    with pytest.raises(ValidationError, match="endpoints"):
        NewVpc(private=True, endpoints=(endpoint,))


@pytest.mark.parametrize(
    ("first", "is_protected"), [(None, True), ("no", True), (False, True), ("yes", False), (True, False)]
)
def test_only_a_deployment_that_is_said_to_be_the_first_is_not_protected(
    first: object, *, is_protected: bool
) -> None:
    assert load_first(first, environment()).protected is is_protected


def test_what_says_neither_yes_nor_no_to_first_is_refused() -> None:
    with pytest.raises(InvalidEnvironment, match="first='maybe' is neither yes nor no"):
        load_first("maybe", environment())


def test_a_network_is_one_thing_or_another() -> None:
    with pytest.raises(ValidationError, match="endpoints are for private=True"):
        NewVpc(endpoints=("sqs",))
    with pytest.raises(ValidationError, match="subnet_ids"):
        ExistingVpc(vpc_id="vpc-1a", subnet_ids=("subnet-1",))  # type: ignore[call-arg] # the point
    with pytest.raises(ValidationError, match="ExistingSubnets: subnet_ids is empty"):
        ExistingSubnets(subnet_ids=(), security_group_id="sg-1")


def test_private_subnets_take_images_of_ecr_and_images_that_are_built_here() -> None:
    ecr = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/billing@sha256:0a"
    both = (service(image=ecr), ServiceConfig(name="default", image="./job_container"))
    assert environment(network=NewVpc(private=True), services=both).services == both
    assert both[0].ecr_image is not None
    assert both[0].ecr_image.name == "team/billing"


def test_a_permission_names_each_action_in_full_and_says_why() -> None:
    with pytest.raises(ValidationError) as refused:
        Permission(actions=("s3:*",), resources=("*",), reason="Why not.")
    assert explain(refused.value) == (
        "Permission: actions[0]='s3:*' must be an action in full and without wildcards, as in 's3:GetObject'"
    )
    with pytest.raises(ValidationError, match="reason"):
        Permission(actions=("s3:GetObject",), resources=("*",))  # type: ignore[call-arg] # the point


def test_a_service_without_an_image_is_refused() -> None:
    with pytest.raises(ValidationError, match="image"):
        ServiceConfig(name="billing")  # type: ignore[call-arg] # the point


def test_an_unknown_environment_is_answered_with_those_that_exist() -> None:
    with pytest.raises(InvalidEnvironment, match=r"'staging'.*dev, prod"):
        load_environment("staging")


Load = Callable[[str], EnvironmentConfig]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load the environment `prod` from an environments.py with the given lines."""

    def load(text: str) -> EnvironmentConfig:
        (tmp_path / "environments.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "environments", raising=False)
        try:
            return load_environment("prod")
        finally:
            sys.modules.pop("environments", None)

    return load


IMPORTS = """
from background_jobs import Stage
from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.service_config import ServiceConfig
service = ServiceConfig(name="billing", image="i")
"""


def test_environments_are_read_from_the_users_file(load: Load) -> None:
    text = "ENVIRONMENTS = [EnvironmentConfig(environment='prod', services=(service,), log_days=7)]"
    assert load(IMPORTS + text).log_days == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("services = (\n", r"environments\.py, line 1: SyntaxError: '\(' was never closed"),
        ("\nservices = (billing,)", r"environments\.py, line 2: NameError: name 'billing' is not defined"),
        (
            "import background_jobs.cdk.storrage",
            r"environments\.py, line 1: ModuleNotFoundError: No module named 'background_jobs.cdk.storr",
        ),
        ("", r"environments\.py needs a tuple of all environments: ENVIRONMENTS = "),
        (
            IMPORTS + "ENVIRONMENTS = (EnvironmentConfig(environment='prod', services=(service,)))",
            r"environments\.py needs a tuple of all environments: .* with a comma after a single one",
        ),
        (
            IMPORTS + "\nENVIRONMENTS = (EnvironmentConfig(environment='dev', services=(), logdays=7),)",
            r"environments\.py, line 7: environment 'dev': services is empty; .* did you mean 'log_days'\?$",
        ),
        (
            IMPORTS + "ServiceConfig(name='mail', image='i', gpus=1)",
            r"environments\.py, line 6: service 'mail': Fargate has no GPUs",
        ),
        (
            IMPORTS + "Stage('report', colour=1)",
            r"environments\.py, line 6: InvalidStage: Stage was refused: colour is not known",
        ),
    ],
)
def test_a_file_of_environments_that_cannot_be_read_is_answered_with_its_line(
    load: Load, text: str, message: str
) -> None:
    with pytest.raises(InvalidEnvironment, match=message):
        load(text)


def test_an_environment_beyond_what_a_stack_takes_is_told_how_many_services_fit(tmp_path: Path) -> None:
    use_bundled_node()
    from aws_cdk import App

    network = ExistingSubnets(subnet_ids=("subnet-1",), security_group_id="sg-1")

    def write(count: int, limit: int) -> "CloudAssembly":
        # CloudFormation's limit is 500; with fewer resources a test is fast.
        app = App(analytics_reporting=False, context={"@aws-cdk/core:stackResourceLimit": limit})
        services = tuple(service(name=f"service-{number}") for number in range(count))
        config = environment(services=services, network=network)
        add_stack(app, config, tmp_path)
        return write_assembly(app, config)

    # given a limit that two services keep to, and a third would not
    per_service = 5
    resources = len(write(2, limit=500).stacks[0].template["Resources"])
    limit = resources + per_service - 1
    assert write(2, limit).stacks
    # when there are two more, then it says how many fit
    with pytest.raises(TooManyResources, match="2 services fit, not 4; use several environments") as refused:
        write(4, limit)
    assert (refused.value.needed, refused.value.most) == (resources + 2 * per_service, limit)


def nightly(**fields: Any) -> ScheduleConfig:
    return ScheduleConfig(**({"name": "nightly", "job_name": "report", "cron": "0 3 * * *"} | fields))


def test_a_schedule_is_declared_with_params_of_its_own_or_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "params.jsonl").write_text('{"region": "eu"}\n{"region": "us"}\n')
    assert nightly().definition("billing").service == "billing"
    definition = nightly(params=tmp_path / "params.jsonl", overlap=Overlap.ALLOW).definition("billing")
    assert definition.params == ({"region": "eu"}, {"region": "us"})
    assert (definition.overlap, definition.declared) == (Overlap.ALLOW, True)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"cron": "61 * * * *"}, "'61' is no minute"),
        ({"cron": "0 3 1 * MON"}, "make a schedule for each of them"),
        ({"cron": "0 0 30 2 *"}, "is never due: no year has such a day"),
        ({"timezone": "Europe/Bonn"}, "no time zone 'Europe/Bonn'"),
        ({"name": "nightly report"}, "must be 1 to 64 letters, digits, hyphens"),
        ({"params": ()}, "use 1 to"),
        ({"params": ({"text": "x" * 30_000},)}, "cannot be declared"),
        ({"tags": {"schedule": "mine"}}, "set by the schedule itself"),
    ],
)
def test_a_schedule_that_cannot_be_is_found_at_synthesis(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message) as refused:
        nightly(**fields)
    assert_one_sentence(refused.value, f"schedule {fields.get('name', 'nightly')!r}: ")


def test_schedules_run_in_services_and_limits_that_the_environment_has() -> None:
    services = (ServiceConfig(name="billing", image="i"),)
    for fields, message in (
        ({"service": "biling"}, r"no service 'biling'; did you mean 'billing'\?"),
        ({"then": Stage("send", service="male")}, "no service 'male'"),
        ({"parallelism": 7}, "at most 5"),
    ):
        with pytest.raises(ValidationError, match=message):
            EnvironmentConfig(
                environment="prod", services=services, schedules=(nightly(**fields),), max_parallelism=5
            )
    with pytest.raises(ValidationError, match="schedules are named twice: nightly"):
        EnvironmentConfig(environment="prod", services=services, schedules=(nightly(), nightly()))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"job_name": "reprot"}, r"the jobs of service 'billing' have no 'reprot'; did you mean 'report'\?"),
        ({"job_name": "send"}, "the jobs of service 'billing' have no 'send'; use service='mail'"),
        ({"service": "mail"}, "the jobs of service 'mail' have no 'report'; use service='billing'"),
        ({"then": Stage("archive")}, "the jobs of service 'billing' have no 'archive'; there are: report"),
        (
            {"then": Stage("send", service="mail", then=Stage("report"))},
            "the jobs of service 'mail' have no 'report'; use service='billing'",
        ),
    ],
)
def test_a_schedule_of_a_job_that_its_service_does_not_list_is_refused(
    fields: dict[str, Any], message: str
) -> None:
    services = (service(jobs=("report",)), service(name="mail", jobs=("send",)))
    with pytest.raises(ValidationError, match=f"schedule 'nightly': {message}"):
        environment(services=services, schedules=(nightly(**fields),))


def test_a_schedule_may_be_of_any_job_of_a_service_that_lists_none() -> None:
    services = (service(), service(name="mail", jobs=("send",)))
    schedule = nightly(then=Stage("archive", then=Stage("send", service="mail")))
    assert environment(services=services, schedules=(schedule,)).schedules == (schedule,)


def test_make_synth_takes_the_name_of_an_environment() -> None:
    # given this environment of Python, however it was made
    python = [f"VENV={sys.prefix}", f"--old-file={sys.prefix}/.dev"]
    # when one is named that is not there
    done = subprocess.run(
        ["make", *python, "synth", "ENVIRONMENT=nowhere"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    # then
    assert done.returncode != 0
    assert "There is no environment 'nowhere'; there are: dev, prod, local." in done.stderr
