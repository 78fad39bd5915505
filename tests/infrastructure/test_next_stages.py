"""Rules of the stack: what starts a stage, and who is told of completions."""

import json
from pathlib import Path
from typing import Any

import pytest

from background_jobs import Stage
from background_jobs.cdk.environment_loading import load_environment
from background_jobs.cdk.node import use_bundled_node
from background_jobs.cdk.synthesis import add_stack
from tests.infrastructure.conftest import Template, of_type


def rules(template: Template) -> list[dict[str, Any]]:
    return [r for r in of_type(template, "AWS::Events::Rule") if "JobCompletedEvent" in json.dumps(r)]


def test_a_completion_starts_what_its_kick_off_asked_for(template: Template) -> None:
    (rule,) = [r for r in rules(template) if "stages_left" in json.dumps(r["EventPattern"])]
    assert rule["EventPattern"]["detail"] == {"stages_left": [{"numeric": [">", 0]}]}
    assert "KickOffJob" in json.dumps(rule["Targets"])


def test_a_rule_of_the_stack_starts_a_stage_or_tells_anybody(tmp_path: Path) -> None:
    use_bundled_node()
    from aws_cdk import App, aws_sqs
    from aws_cdk import aws_events_targets as targets

    (tmp_path / "README").write_text("empty")
    app = App(analytics_reporting=False)
    stack = add_stack(app, load_environment("prod"), tmp_path)
    stage = Stage("load", params={"path": "$result.path"}, on_failure="continue")
    stack.jobs.start_after("LoadAfterExtract", job_name="extract", stage=stage, tags={"customer": "acme"})
    stack.jobs.on_job_completed("Tell", targets.SqsQueue(aws_sqs.Queue(stack, "Theirs")), outcome="Errored")
    with pytest.raises(ValueError, match="cannot follow itself"):
        stack.jobs.start_after("Loop", job_name="load", stage=stage)
    found = {
        json.dumps(rule["EventPattern"]["detail"], sort_keys=True): rule["Targets"][0]
        for rule in rules(app.synth().get_stack_by_name(stack.stack_name).template)
        if "detail" in rule["EventPattern"]
    }
    start = found['{"job_name": ["extract"], "tags": {"customer": ["acme"]}}']["InputTransformer"]
    (placeholder,) = start["InputPathsMap"]
    invocation = json.loads(start["InputTemplate"].replace(f"<{placeholder}>", '"the id"'))
    assert invocation == {
        "type": "StartStage",
        "orchestration_id": "the id",
        "rule": "LoadAfterExtract",
        "stage": {
            "job_name": "load",
            "params": {"path": "$result.path"},
            "on_failure": "continue",
        },
    }
    assert "Theirs" in json.dumps(found['{"outcome": ["Errored"]}']["Arn"])
