"""Schedules in the stack: who may make them, what they may invoke, and those that are declared."""

import json

from background_jobs.cdk.environment_loading import load_environment
from background_jobs.cdk.schedule_config import ScheduleConfig
from background_jobs.core.schedules.definition import (
    Overlap,
    Target,
    parse_schedule_input,
    schedule_group,
    scheduler_properties,
)
from background_jobs.core.stages import Stage
from background_jobs.core.tags import SCHEDULE_TAG
from tests.infrastructure.conftest import Synthesize, Template, of_type, resolved
from tests.infrastructure.test_stack import actions, statements


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
    assert resolved(trust)["StringEquals"] == {"aws:SourceAccount": "AWS::AccountId"}
    assert resolved(trust)["ArnEquals"]["aws:SourceArn"].endswith(f":schedule-group/{group['Name']}")
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
        "type": "ScheduleRunCompleted",
        "schedule": "detail-tags-schedule",
    }


def test_a_declared_schedule_is_what_the_sdk_would_make(synthesized: Synthesize) -> None:
    declared = ScheduleConfig(
        name="nightly",
        job_name="report",
        cron="0 3 * * MON-FRI",
        timezone="Europe/Berlin",
        params=({"region": "eu"},),
        overlap=Overlap.QUEUE,
        then=Stage("send", params={"report": "$result"}, timeout=600),
    )
    template = synthesized(load_environment("prod").model_copy(update={"schedules": (declared,)}))
    (schedule,) = of_type(template, "AWS::Scheduler::Schedule")
    definition = parse_schedule_input(schedule["Target"]["Input"])
    assert definition == declared.definition("default")
    assert definition is not None
    assert definition.declared
    target = schedule["Target"]
    whom = Target(target["Arn"], target["RoleArn"], target["DeadLetterConfig"]["Arn"])
    assert schedule == scheduler_properties(definition, schedule_group("prod"), whom)
