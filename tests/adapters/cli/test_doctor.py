"""`background-jobs doctor` against an environment in which one thing at a time is broken."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from typing import Any
from unittest.mock import Mock, patch

import pytest
from typer.testing import CliRunner

from background_jobs.aws import clients
from background_jobs.aws.clock import clock
from background_jobs.aws.identities import Identities
from background_jobs.cli.commands import prepare_streams
from background_jobs.cli.doctor import doctor
from background_jobs.cli.main import app
from background_jobs.core.errors import ServiceUnreachable
from background_jobs.settings import Settings
from tests.adapters.cli.commands import run, run_on_terminal
from tests.examined import ACCOUNT, FAMILY, IMAGE, ExaminedAws, examined_aws, refusal

ELSEWHERE = "arn:aws:lambda:us-west-2:999999999999:function:kick-off-job"


@pytest.fixture
def settings(aws: ExaminedAws) -> Settings:
    return aws.settings


@pytest.fixture(scope="module")
def every_aws() -> Iterator[ExaminedAws]:
    with examined_aws() as aws:
        yield aws


@pytest.fixture
def aws(every_aws: ExaminedAws) -> ExaminedAws:
    every_aws.make()
    return every_aws


@pytest.fixture(autouse=True)
def variables(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in settings.to_env().items():
        monkeypatch.setenv(name, value)


def findings() -> list[dict[str, str]]:
    """Return what is found, as JSON has it, and that there is no traceback."""
    done = run("doctor", "--json")
    assert done.exit_code in (0, 4), done.output
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.exit_code == 4) == any(finding["level"] == "problem" for finding in found)
    return found


def test_all_is_well_in_a_healthy_environment(aws: ExaminedAws) -> None:
    done = run_on_terminal("doctor")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == "0 problems, 0 warnings"
    areas = [line for line in done.stdout.splitlines()[:-1] if not line.startswith(" ")]
    assert areas == [
        "Settings",
        "Version",
        "Reachability",
        "Permissions",
        "Services",
        "Quotas",
        "Alarms",
        "Failure queue",
        "Functions",
        "Schedules",
    ]
    assert all(line.startswith("  ✓ ") for line in done.stdout.splitlines() if line.startswith(" "))


def test_nothing_is_written(aws: ExaminedAws) -> None:
    before = aws.calls.copy()
    run_on_terminal("doctor")
    writes = ("Put", "Create", "Update", "Delete", "Send", "Start", "Invoke", "Receive", "Publish", "Run")
    assert [call for call in aws.calls - before if call[1].startswith(writes)] == []


Break = Callable[[ExaminedAws, pytest.MonkeyPatch], Any]


def run_on_spot(aws: ExaminedAws, vcpus: float) -> None:
    aws.define("ARM64", on="FARGATE_SPOT")
    aws.quotas["L-36FBB829"] = vcpus


def keep_warm(aws: ExaminedAws, running: int | None) -> None:
    """Have the service keep two warm workers, of which some run; None where its ECS service is gone."""
    aws.define("ARM64", warm=True)
    revision = clients.client_without_types("ecs").describe_task_definition(taskDefinition=FAMILY)[
        "taskDefinition"
    ]
    deployment = {"taskDefinition": revision["taskDefinitionArn"], "runningCount": running}
    found = {"status": "ACTIVE", "desiredCount": 2, "deployments": [deployment]}
    answer = {"services": [] if running is None else [found], "failures": []}
    aws.answer("ecs", "DescribeServices", lambda _: answer)


BROKEN: dict[str, tuple[Break, str, str, str]] = {
    "another account": (
        lambda aws, env: env.setenv("BACKGROUND_JOBS_SCHEDULE_FUNCTION", ELSEWHERE),
        "problem",
        "BACKGROUND_JOBS_SCHEDULE_FUNCTION is of account 999999999999, and the credentials are of",
        "AWS_PROFILE",
    ),
    "another region": (
        lambda aws, env: env.setenv("BACKGROUND_JOBS_SCHEDULE_FUNCTION", ELSEWHERE),
        "problem",
        "is of region us-west-2, and this process calls eu-central-1",
        "AWS_REGION=us-west-2",
    ),
    "a service that the environment does not have": (
        lambda aws, env: env.setenv("BACKGROUND_JOBS_SERVICE", "biling"),
        "problem",
        "BACKGROUND_JOBS_SERVICE is 'biling', and the environment has default",
        "Set it to one of these",
    ),
    "stale settings": (
        lambda aws, env: env.setenv("BACKGROUND_JOBS_EVENT_BUS", "old"),
        "problem",
        "The setting EventBus is 'old', and the stack says 'background-jobs'",
        "Take the outputs",
    ),
    "a service that was added": (
        lambda aws, env: aws.outputs.update(ServiceNames="default,billing"),
        "warning",
        "The setting ServiceNames is 'default'",
        "Take the outputs",
    ),
    "no schedules": (
        lambda aws, env: env.delenv("BACKGROUND_JOBS_SCHEDULE_ROLE"),
        "warning",
        "Schedules cannot be made without BACKGROUND_JOBS_SCHEDULE_ROLE",
        "Set them",
    ),
    "no API": (
        lambda aws, env: env.delenv("BACKGROUND_JOBS_API_URL"),
        "warning",
        "BACKGROUND_JOBS_API_URL is not set",
        "ApiUrl",
    ),
    "another release": (
        lambda aws, env: aws.outputs.update(Version="0.0.9"),
        "warning",
        "The SDK is of release 0.1.0, and the environment was deployed with 0.0.9",
        "install background-job-service==0.0.9",
    ),
    "a deployment that failed": (
        lambda aws, env: setattr(aws, "stack_status", "UPDATE_ROLLBACK_FAILED"),
        "problem",
        "is in the state UPDATE_ROLLBACK_FAILED",
        "events in CloudFormation",
    ),
    "no stack": (
        lambda aws, env: aws.answer("cloudformation", "DescribeStacks", refusal("ValidationError")),
        "problem",
        f"There is no stack background-jobs-test in account {ACCOUNT} and region eu-central-1",
        "BACKGROUND_JOBS_ENVIRONMENT",
    ),
    "no table": (
        lambda aws, env: clients.client_without_types("dynamodb").delete_table(TableName="read-model"),
        "problem",
        "The read model read-model is not there",
        "deploy again",
    ),
    "no bucket": (
        lambda aws, env: clients.client_without_types("s3").delete_bucket(Bucket="payloads"),
        "problem",
        "The payload bucket payloads is not there",
        "deploy again",
    ),
    "no bus": (
        lambda aws, env: clients.client_without_types("events").delete_event_bus(Name="background-jobs"),
        "problem",
        "The event bus background-jobs is not there",
        "deploy again",
    ),
    "no state machine": (
        lambda aws, env: clients.client_without_types("stepfunctions").delete_state_machine(
            stateMachineArn=aws.machine
        ),
        "problem",
        "The state machine is not there",
        "deploy again",
    ),
    "an API that fails": (
        lambda aws, env: setattr(aws, "api_status", 500),
        "problem",
        "answers with status 500",
        "log of the function progress_api",
    ),
    "an API that nobody serves": (
        lambda aws, env: env.setenv("BACKGROUND_JOBS_API_URL", "http://127.0.0.1:1"),
        "problem",
        "The progress API at http://127.0.0.1:1 does not answer",
        "Check the network",
    ),
    "an API that refuses": (
        lambda aws, env: setattr(aws, "api_status", 403),
        "unknown",
        "answers, but not to these credentials (403)",
        "execute-api:Invoke",
    ),
    "a caller who may not kick off": (
        lambda aws, env: setattr(aws, "denied_actions", ("dynamodb:PutItem", "s3:PutObject")),
        "warning",
        "may not kick off and cancel jobs of default: dynamodb:PutItem, s3:PutObject is denied",
        "CallerPolicy",
    ),
    "no active task definition": (
        lambda aws, env: clients.client_without_types("ecs").deregister_task_definition(
            taskDefinition=f"{FAMILY}:1"
        ),
        "problem",
        "default: the task definition background-jobs-test-default",
        "environments.py",
    ),
    "no image": (
        lambda aws, env: aws.answer("ecr", "BatchGetImage", {"images": []}),
        "problem",
        "amazonaws.com/jobs:7 is not in ECR",
        "Push it",
    ),
    "an image for another architecture": (
        lambda aws, env: aws.push("amd64"),
        "problem",
        "default: the image is built for amd64, and its containers run on arm64",
        "--platform linux/arm64",
    ),
    "an image in a registry that cannot be asked": (
        lambda aws, env: aws.define("ARM64", image="docker.io/team/jobs:7"),
        "unknown",
        "whether docker.io/team/jobs:7 exists is unknown",
        "docker manifest inspect",
    ),
    "no log group": (
        lambda aws, env: clients.client_without_types("logs").delete_log_group(logGroupName="jobs"),
        "problem",
        "default: the log group jobs is gone",
        "Make it again",
    ),
    "no service of its warm workers": (
        lambda aws, env: keep_warm(aws, running=None),
        "problem",
        "default: the ECS service default-FARGATE of its warm workers is gone",
        "Deploy the stack again",
    ),
    "warm workers that do not come up": (
        lambda aws, env: keep_warm(aws, running=1),
        "warning",
        "default: 1 of 2 warm workers run its latest revision",
        "the events of default-FARGATE",
    ),
    "the quota of a new account": (
        lambda aws, env: aws.quotas.update({"L-3032A538": 6.0}),
        "warning",
        "default: 12 containers of 0.5 vCPU fit into the quota of 6 at once, and an orchestration may ask for 100",
        "(L-3032A538) raised to 50 or more in Service Quotas, or set max_parallelism of the environment to 12",
    ),
    "a quota of Spot": (
        lambda aws, env: run_on_spot(aws, vcpus=6.0),
        "warning",
        "default: 12 containers of 0.5 vCPU fit",
        "(L-36FBB829)",
    ),
    "a quota below one container": (
        lambda aws, env: aws.quotas.update({"L-3032A538": 0.25}),
        "problem",
        "none can start",
        "L-3032A538",
    ),
    "the concurrency of a new account": (
        lambda aws, env: aws.__dict__.update(concurrency=10, unreserved=10),
        "warning",
        "Only 10 functions of this account can run at once",
        "L-B99A9384",
    ),
    "concurrency that watchers may use up": (
        lambda aws, env: setattr(aws, "unreserved", 1_000),
        "warning",
        "they may take all 1,000 concurrent executions",
        "Set api_concurrency",
    ),
    "no alarms": (
        lambda aws, env: aws.alarms.clear(),
        "warning",
        "The environment has no alarms",
        "monitored=True",
    ),
    "an alarm that was deleted": (
        lambda aws, env: clients.client_without_types("cloudwatch").delete_alarms(AlarmNames=[aws.alarms[0]]),
        "problem",
        "These alarms of the stack are gone: background-jobs-test-RecordsGivenUp",
        "deploy",
    ),
    "an alarm that rings": (
        lambda aws, env: clients.client_without_types("cloudwatch").set_alarm_state(
            AlarmName=aws.alarms[1], StateValue="ALARM", StateReason="test"
        ),
        "problem",
        "background-jobs-test-StartsBehind is in ALARM",
        "See docs/runbook.md about",
    ),
    "alarms that are muted": (
        lambda aws, env: clients.client_without_types("cloudwatch").disable_alarm_actions(
            AlarmNames=aws.alarms
        ),
        "warning",
        "The actions of these alarms are turned off",
        "enable-alarm-actions",
    ),
    "nobody who hears": (
        lambda aws, env: aws.answer("sns", "ListSubscriptionsByTopic", {"Subscriptions": []}),
        "problem",
        "the topic background-jobs-test-alarms has no subscription",
        "aws sns subscribe",
    ),
    "an address that was not confirmed": (
        lambda aws, env: aws.answer(
            "sns",
            "ListSubscriptionsByTopic",
            {"Subscriptions": [{"Endpoint": "ops@example.com", "SubscriptionArn": "PendingConfirmation"}]},
        ),
        "problem",
        "ops@example.com does not hear of alarms",
        "Follow the link",
    ),
    "messages in the failure queue": (
        lambda aws, env: clients.client_without_types("sqs").send_message(
            QueueUrl=aws.queue_url, MessageBody="{}"
        ),
        "problem",
        "The failure queue has 1 message",
        "background-jobs redrive --dry-run",
    ),
    "no failure queue": (
        lambda aws, env: clients.client_without_types("sqs").delete_queue(QueueUrl=aws.queue_url),
        "problem",
        "The failure queue is not there",
        "deploy again",
    ),
    "a function that was not updated": (
        lambda aws, env: aws.answer(
            "lambda",
            "GetFunctionConfiguration",
            {"State": "Active", "LastUpdateStatus": "Failed", "LastUpdateStatusReason": "no such layer"},
        ),
        "problem",
        "its last update Failed: no such layer",
        "Deploy the stack again",
    ),
    "a mapping that is disabled": (
        lambda aws, env: clients.client_without_types("lambda").update_event_source_mapping(
            UUID=aws.mapping, Enabled=False
        ),
        "problem",
        "background-jobs-test-aggregate is not given the events of the log",
        "update-event-source-mapping --enabled",
    ),
    "a mapping whose function fails": (
        lambda aws, env: aws.answer(
            "lambda",
            "GetEventSourceMapping",
            {
                "FunctionArn": "arn:aws:lambda:eu-central-1:1:function:aggregate",
                "State": "Enabled",
                "LastProcessingResult": "PROBLEM: Function call failed",
            },
        ),
        "problem",
        "aggregate does not get the events of the log: PROBLEM: Function call failed",
        "runbook.md#records-fail",
    ),
    "a function that was deleted": (
        lambda aws, env: setattr(aws, "function", "background-jobs-test-gone"),
        "problem",
        "The function background-jobs-test-gone is not there",
        "deploy again",
    ),
    "a stack without outputs": (
        lambda aws, env: aws.outputs.clear(),
        "warning",
        "The stack does not put out EventLogTable, ReadModelTable",
        "Deploy the stack again",
    ),
    "a stack whose alarms were never made": (
        lambda aws, env: setattr(aws, "alarms", [""]),
        "warning",
        "The environment has no alarms",
        "deploy",
    ),
    "a server that speaks no HTTP": (
        lambda aws, env: setattr(aws, "api_status", None),
        "problem",
        "does not answer: no HTTP",
        "Check the network",
    ),
    "an API at no address": (
        lambda aws, env: env.setenv("BACKGROUND_JOBS_API_URL", "http://127.0.0.1:port"),
        "problem",
        "does not answer: nonnumeric port: 'port'",
        "BACKGROUND_JOBS_API_URL",
    ),
    "credentials that end in the middle": (
        lambda aws, env: aws.answer("cloudwatch", "DescribeAlarms", refusal("ExpiredToken", "expired")),
        "unknown",
        "How the alarms are is unknown: ExpiredToken: expired",
        "Sign in again",
    ),
    "a size that is not known": (
        lambda aws, env: aws.answer(
            "ecs",
            "DescribeTaskDefinition",
            {"taskDefinition": {"revision": 1, "containerDefinitions": [{"image": f"{IMAGE}:7"}]}},
        ),
        "warning",
        "default: its containers have no log group",
        "Deploy the stack again",
    ),
    "no group of schedules": (
        lambda aws, env: clients.client_without_types("scheduler").delete_schedule_group(
            Name="background-jobs-test"
        ),
        "problem",
        "The schedule group background-jobs-test is not there",
        "deploy again",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_found_with_what_to_do(
    case: str, aws: ExaminedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given an environment in which one thing is broken
    breaking, level, sentence, next_step = BROKEN[case]
    breaking(aws, monkeypatch)
    # when somebody asks what is wrong
    found = findings()
    # then that is told, with what to do, and is no more than it is
    told = [finding for finding in found if sentence in finding["sentence"]]
    assert len(told) == 1, [finding for finding in found if finding["level"] != "ok"]
    assert told[0]["level"] == level
    assert next_step in told[0]["next_step"]


QUESTIONS = {
    ("cloudformation", "DescribeStacks"): "cloudformation:DescribeStacks",
    ("cloudformation", "ListStackResources"): "cloudformation:ListStackResources",
    ("dynamodb", "GetItem"): "dynamodb:GetItem",
    ("s3", "HeadBucket"): "s3:ListBucket",
    ("events", "DescribeEventBus"): "events:DescribeEventBus",
    ("states", "DescribeStateMachine"): "states:DescribeStateMachine",
    ("iam", "SimulatePrincipalPolicy"): "iam:SimulatePrincipalPolicy",
    ("ecs", "DescribeTaskDefinition"): "ecs:DescribeTaskDefinition",
    ("ecr", "BatchGetImage"): "ecr:BatchGetImage",
    ("logs", "DescribeLogGroups"): "logs:DescribeLogGroups",
    ("servicequotas", "GetServiceQuota"): "servicequotas:GetServiceQuota",
    ("lambda", "GetAccountSettings"): "lambda:GetAccountSettings",
    ("lambda", "GetFunctionConfiguration"): "lambda:GetFunctionConfiguration",
    ("lambda", "GetEventSourceMapping"): "lambda:GetEventSourceMapping",
    ("cloudwatch", "DescribeAlarms"): "cloudwatch:DescribeAlarms",
    ("sns", "ListSubscriptionsByTopic"): "sns:ListSubscriptionsByTopic",
    ("sqs", "GetQueueUrl"): "sqs:GetQueueAttributes",
    ("scheduler", "GetScheduleGroup"): "scheduler:GetScheduleGroup",
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_may_not_be_asked_is_unknown_with_the_permission_that_it_takes(
    question: tuple[str, str], aws: ExaminedAws
) -> None:
    code = "403" if question[0] == "s3" else "AccessDeniedException"
    aws.answer(*question, refusal(code))
    not_ok = [finding for finding in findings() if finding["level"] != "ok"]
    assert not_ok
    assert {finding["level"] for finding in not_ok} == {"unknown"}
    assert QUESTIONS[question] in json.dumps(not_ok)


def test_a_caller_who_may_ask_nothing_is_told_what_it_takes_and_no_problem(aws: ExaminedAws) -> None:
    for question in QUESTIONS:
        aws.answer(*question, refusal("403" if question[0] == "s3" else "AccessDenied"))
    found = findings()
    assert {finding["level"] for finding in found} == {"ok", "unknown"}
    assert len([finding for finding in found if finding["level"] == "unknown"]) >= 12


def test_credentials_that_aws_does_not_know_are_the_one_problem(aws: ExaminedAws) -> None:
    aws.answer("sts", "GetCallerIdentity", refusal("ExpiredToken", "The security token is expired"))
    (finding,) = findings()
    assert finding["level"] == "problem"
    assert "The security token is expired" in finding["sentence"]
    assert "AWS_PROFILE" in finding["next_step"]


def test_aws_that_is_out_of_reach_is_not_taken_for_wrong_credentials(
    aws: ExaminedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    del aws
    monkeypatch.setattr(Identities, "caller", Mock(side_effect=ServiceUnreachable("There is no network.")))
    (finding,) = findings()
    assert finding["sentence"] == "AWS is out of reach: There is no network."
    assert "AWS_PROFILE" not in finding["next_step"]


def test_where_there_is_no_stack_its_parts_are_not_told_to_be_missing(aws: ExaminedAws) -> None:
    aws.answer("cloudformation", "DescribeStacks", refusal("ValidationError"))
    assert {finding["area"] for finding in findings()} == {"Settings", "Version"}


def test_a_clock_that_is_wrong_is_told_where_aws_refuses_what_it_signs(
    aws: ExaminedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.answer("sts", "GetCallerIdentity", refusal("SignatureDoesNotMatch", "Signature expired"))
    monkeypatch.setattr(clock, "_offset", 3_600.0)
    _, finding = findings()
    assert "This machine's clock is 3600 s behind AWS's" in finding["sentence"]


def test_an_image_without_a_platform_is_no_problem(aws: ExaminedAws) -> None:
    for manifest in ('{"manifests": [{"platform": null}, {}]}', "[]"):
        aws.answer("ecr", "BatchGetImage", {"images": [{"imageManifest": manifest}]})
        assert {finding["level"] for finding in findings()} == {"ok"}


def test_a_session_of_a_role_is_judged_by_that_role(aws: ExaminedAws) -> None:
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/operator/me"
    aws.answer("sts", "GetCallerIdentity", {"Account": ACCOUNT, "Arn": arn, "UserId": "AROA:me"})
    clients.client_without_types("iam").create_role(
        RoleName="operator", Path="/team/", AssumeRolePolicyDocument="{}"
    )
    asked: list[str] = []

    def simulate(call: dict[str, Any]) -> dict[str, Any]:
        asked.append(call["PolicySourceArn"])
        return {"EvaluationResults": []}

    aws.answer("iam", "SimulatePrincipalPolicy", simulate)
    assert {finding["level"] for finding in findings()} == {"ok"}
    assert set(asked) == {f"arn:aws:iam::{ACCOUNT}:role/team/operator"}


def test_a_quota_that_the_account_never_had_raised_is_aws_default(aws: ExaminedAws) -> None:
    aws.answer("servicequotas", "GetServiceQuota", refusal("NoSuchResourceException"))
    aws.answer("servicequotas", "GetAWSDefaultServiceQuota", {"Quota": {"Value": 6.0}})
    (short,) = [finding for finding in findings() if finding["level"] == "warning"]
    assert "default: 12 containers of 0.5 vCPU fit into the quota of 6 at once" in short["sentence"]


def test_marks_are_plain_where_the_output_takes_ascii_only(aws: ExaminedAws) -> None:
    clients.client_without_types("sqs").send_message(QueueUrl=aws.queue_url, MessageBody="{}")
    with patch("background_jobs.cli.reporting.has_terminal", return_value=True):
        done = CliRunner(charset="ascii").invoke(app, ["doctor"])
    assert done.exit_code == 4
    assert "  x The failure queue has 1 message" in done.stdout
    assert "    -> `background-jobs redrive --dry-run`" in done.stdout
    assert done.stdout.splitlines()[-1] == "1 problem, 0 warnings"


def test_a_closed_output_is_no_error(aws: ExaminedAws) -> None:
    # Python has no standard output if whoever starts it has closed it
    with redirect_stdout(None):
        prepare_streams()
        with sys.stdout:
            doctor()


def test_without_settings_it_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    for name in settings.to_env():
        monkeypatch.delenv(name)
    done = run_on_terminal("doctor")
    assert done.exit_code == 2
    assert "aws cloudformation describe-stacks --stack-name" in done.stderr
    assert "background-jobs local up" in done.stderr


@pytest.mark.parametrize("region", [None, ""])
def test_without_a_region_that_is_the_one_problem(
    aws: ExaminedAws, monkeypatch: pytest.MonkeyPatch, region: str | None
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    if region is not None:
        monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    clients.forget_clients()
    (finding,) = findings()
    assert finding["level"] == "problem"
    assert "AWS_REGION" in finding["next_step"]
