import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from background_jobs.core.naming import (
    CONTAINER_NAME,
    RUN_COMPLETED_OF,
    SCHEDULE_TAG,
    schedule_group,
    task_family,
)
from background_jobs.core.schedules import Overlap, Target, definition_in, scheduler_properties
from background_jobs.local_stack.package_data import TEMPLATE
from background_jobs.settings import ApiSettings, ContainerSettings, ExecutionSettings, Settings
from cdk.config import stage_named
from cdk.fan_out import fan_out_definition
from cdk.offline_template import offline_template
from cdk.schedule_config import ScheduleConfig
from cdk.synthesis import synthesize

Template = dict[str, Any]


def of_type(template: Template, kind: str) -> list[dict[str, Any]]:
    return [r["Properties"] for r in template["Resources"].values() if r["Type"] == kind]


def statements(template: Template) -> Iterator[dict[str, Any]]:
    for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        for policy in of_type(template, kind):
            yield from policy["PolicyDocument"]["Statement"]


def actions(statement: dict[str, Any]) -> list[str]:
    action = statement["Action"]
    return action if isinstance(action, list) else [action]


def test_the_shipped_template_is_what_the_stack_synthesizes() -> None:
    assert TEMPLATE.read_text() == offline_template(), "run `make synth` and commit what it wrote"


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


def test_the_state_machine_runs_this_stages_tasks_in_its_own_cluster_only(template: Template) -> None:
    (run,) = [s for s in statements(template) if actions(s) == ["ecs:RunTask"]]
    assert json.dumps(run["Resource"]).count(f"task-definition/{task_family('prod', '*')}:*") == 1
    assert list(run["Condition"]) == ["ArnEquals"]
    (pass_role,) = [
        s
        for s in statements(template)
        if actions(s) == ["iam:PassRole"] and "ecs-tasks" in json.dumps(s["Condition"])
    ]
    assert all("Fn::GetAtt" in resource for resource in pass_role["Resource"])


def test_every_function_and_container_finds_all_its_settings(template: Template) -> None:
    functions = of_type(template, "AWS::Lambda::Function")
    (task,) = of_type(template, "AWS::ECS::TaskDefinition")
    (container,) = task["ContainerDefinitions"]
    environments = [function["Environment"]["Variables"] for function in functions]
    environments.append({one["Name"]: one["Value"] for one in container["Environment"]})
    for environment in environments:
        plain = {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in environment.items()
        }
        assert Settings.from_env(plain).stage == "prod"
    executing = [e for e in environments if "BACKGROUND_JOBS_STATE_MACHINE_ARN" in e]
    assert len(executing) == 2
    for environment in executing:
        plain = {name: json.dumps(value) for name, value in environment.items()}
        settings = ExecutionSettings.from_env(plain)
        assert settings.state_machine_arn == plain["BACKGROUND_JOBS_STATE_MACHINE_ARN"]
    assert len(functions) == 6


def test_the_outputs_are_the_settings_of_the_sdk(template: Template) -> None:
    outputs = {name: json.dumps(output["Value"]) for name, output in template["Outputs"].items()}
    numbers = {name: template["Outputs"][name]["Value"] for name in ("MaxParallelism", "RetentionDays")}
    url = {"ApiUrl": "https://0a1b2c.execute-api.eu-central-1.amazonaws.com/v1/"}
    assert outputs.keys() >= url.keys()
    assert Settings.from_outputs(outputs | numbers | url).payload_bucket == outputs["PayloadBucket"]


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
    api = ApiSettings.from_env(function["Environment"]["Variables"])
    assert api.stream_seconds is not None
    assert api.stream_seconds < function["Timeout"]


def test_a_user_pool_lets_holders_of_its_tokens_call_the_api(tmp_path: Path) -> None:
    pool = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_a1b2c3"
    (tmp_path / "README").write_text("empty")
    config = stage_named("prod").model_copy(update={"user_pool_arn": pool})
    template = synthesize(config, dependencies=tmp_path)
    kinds = {method["AuthorizationType"] for method in of_type(template, "AWS::ApiGateway::Method")}
    assert kinds == {"COGNITO_USER_POOLS"}


def test_a_service_runs_in_its_conventional_family_and_not_as_root(template: Template) -> None:
    (task,) = of_type(template, "AWS::ECS::TaskDefinition")
    assert task["Family"] == task_family("prod", "default")
    (container,) = task["ContainerDefinitions"]
    assert container["Name"] == CONTAINER_NAME
    assert container["ReadonlyRootFilesystem"] is True


def test_data_outlives_the_stack_where_it_is_to_be_kept(template: Template) -> None:
    policies = {
        name: (resource.get("DeletionPolicy"), resource["Properties"].get("DeletionProtectionEnabled"))
        for name, resource in template["Resources"].items()
        if resource["Type"] in ("AWS::DynamoDB::Table", "AWS::S3::Bucket")
    }
    kept = {name: value for name, value in policies.items() if not name.startswith("ReadModel")}
    assert sorted(kept.values(), key=str) == [("Retain", None), ("Retain", True)]


def test_the_event_log_streams_new_images_and_can_be_restored(template: Template) -> None:
    (log,) = [t for t in of_type(template, "AWS::DynamoDB::Table") if "StreamSpecification" in t]
    assert log["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}
    assert log["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert log["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


def test_stream_mappings_give_poison_records_up_and_keep_them(template: Template) -> None:
    mappings = of_type(template, "AWS::Lambda::EventSourceMapping")
    assert len(mappings) == 2
    for mapping in mappings:
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert mapping["BisectBatchOnFunctionError"] is True
        assert mapping["MaximumRetryAttempts"] < 10_000
        assert "OnFailure" in mapping["DestinationConfig"]


@pytest.fixture
def definition() -> dict[str, Any]:
    return fan_out_definition(cluster="c", subnets=["s"], security_group="g", close_unfinished="f")


def run_container(definition: dict[str, Any]) -> dict[str, Any]:
    state: dict[str, Any] = definition["States"]["FanOut"]["ItemProcessor"]["States"]["RunContainer"]
    return state


def test_what_the_state_machine_injects_is_what_a_container_reads(definition: dict[str, Any]) -> None:
    (override,) = run_container(definition)["Parameters"]["Overrides"]["ContainerOverrides"]
    injected = {one["Name"] for one in override["Environment"]}
    required = {field.alias for field in ContainerSettings.model_fields.values() if field.is_required()}
    assert injected == required
    assert override["Name"] == CONTAINER_NAME


def test_launch_errors_have_a_longer_budget_than_lost_containers_and_come_first(
    definition: dict[str, Any],
) -> None:
    launch, lost = run_container(definition)["Retry"]
    assert lost["ErrorEquals"] == ["States.TaskFailed"]
    assert launch["MaxAttempts"] > 10 * lost["MaxAttempts"]
    assert {"ECS.InvalidParameterException", "ECS.ThrottlingException"} <= set(launch["ErrorEquals"])


def test_whatever_fails_ends_in_closing(definition: dict[str, Any]) -> None:
    assert run_container(definition)["Catch"][0]["Next"] == "CloseShare"
    states = definition["States"]
    assert states["FanOut"]["Catch"][0]["Next"] == "CloseAfterError"
    assert states[states["FanOut"]["Next"]]["Next"] == "CloseUnfinished"
    assert states["FanOut"]["ToleratedFailurePercentage"] == 100


def test_only_what_belongs_to_orchestrations_expires(template: Template) -> None:
    (bucket,) = of_type(template, "AWS::S3::Bucket")
    rules = bucket["LifecycleConfiguration"]["Rules"]
    assert [rule["Prefix"] for rule in rules if "ExpirationInDays" in rule] == ["orchestrations/"]


def test_scheduler_may_invoke_one_function_and_who_makes_schedules_may_pass_its_role_to_it_alone(
    template: Template,
) -> None:
    (group,) = of_type(template, "AWS::Scheduler::ScheduleGroup")
    assert group["Name"] == schedule_group("prod")
    (role,) = [r for r in of_type(template, "AWS::IAM::Role") if "scheduler.amazonaws.com" in json.dumps(r)]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    passing = [
        s["Condition"]["StringEquals"]["iam:PassedToService"]
        for s in statements(template)
        if actions(s) == ["iam:PassRole"]
    ]
    assert sorted(passing) == ["ecs-tasks.amazonaws.com", *["scheduler.amazonaws.com"] * 2]
    managing = [s for s in statements(template) if "scheduler:CreateSchedule" in actions(s)]
    assert all("schedule/background-jobs-prod/*" in json.dumps(s["Resource"]) for s in managing)


def test_what_waits_is_started_by_the_completion_of_a_schedules_run(template: Template) -> None:
    (rule,) = [r for r in of_type(template, "AWS::Events::Rule") if "exists" in json.dumps(r)]
    assert rule["EventPattern"]["detail"] == {"tags": {SCHEDULE_TAG: [{"exists": True}]}}
    (target,) = rule["Targets"]
    assert target["InputTransformer"]["InputPathsMap"] == {"detail-tags-schedule": "$.detail.tags.schedule"}
    assert json.loads(target["InputTransformer"]["InputTemplate"].replace("<", '"').replace(">", '"')) == {
        RUN_COMPLETED_OF: "detail-tags-schedule"
    }


def test_a_declared_schedule_is_what_the_sdk_would_make(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("empty")
    declared = ScheduleConfig(
        name="nightly",
        job_name="report",
        cron="0 3 * * MON-FRI",
        timezone="Europe/Berlin",
        params=({"region": "eu"},),
        overlap=Overlap.QUEUE,
    )
    config = stage_named("prod").model_copy(update={"schedules": (declared,)})
    template = synthesize(config, dependencies=tmp_path)
    (schedule,) = of_type(template, "AWS::Scheduler::Schedule")
    definition = definition_in(schedule["Target"]["Input"])
    assert definition == declared.definition("default")
    assert definition is not None
    assert definition.declared
    target = schedule["Target"]
    whom = Target(target["Arn"], target["RoleArn"], target["DeadLetterConfig"]["Arn"])
    assert schedule == scheduler_properties(definition, schedule_group("prod"), whom)
