"""Stages through the whole path: a completion on the bus starts the next stage, of its kick-off or of a rule."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from background_jobs import JobCompletedEvent, OrchestrationService, OrchestrationStatus, Stage
from background_jobs.aws.stores import Stores
from background_jobs.core import ids
from background_jobs.core.invocations import StartStage
from background_jobs.local_stack import LocalStack
from tests.offline import until

PATIENCE = 120


def test_without_a_parallelism_as_many_containers_are_used_as_the_stack_runs(
    service: OrchestrationService, stack: LocalStack
) -> None:
    """More only wait for each other: the shares of 100 containers took ten times as long."""
    orchestration = service.kick_off_job(
        "fussy", [{"n": n} for n in range(20)], then=Stage("total", params={"values": ["$params.n"]})
    )
    orchestration.pipeline().wait(PATIENCE)

    first, second = service.pipeline(orchestration.id).stages()
    event_log = Stores.of(stack.settings).event_log
    for stage in (first, second):
        assert stage.summary is not None
        started = event_log.read_started(stage.summary.orchestration_id)
        assert (started.total, started.parallelism) == (20, stack.containers)


def test_three_stages_with_a_partial_failure_run_by_themselves(service: OrchestrationService) -> None:
    # given a first stage of which one instance fails, and two stages that take what succeeded
    params = [{"n": n} for n in range(6)] + [{"bad": "yes", "n": 6}]
    orchestration = service.kick_off_job(
        "fussy",
        params,
        parallelism=2,
        tags={"customer": "acme"},
        then=Stage(
            "total",
            params={"values": ["$params.n", 1]},
            on_failure="continue",
            parallelism=2,
            then=Stage("total", params={"values": ["$result.total", "$index"]}, parallelism=1),
        ),
    )
    # when the pipeline is watched to its end
    stages_seen = [update.stage for update in orchestration.pipeline().watch(PATIENCE)]
    # then each stage worked on the successes of the one before
    pipeline = service.pipeline(orchestration.id)
    assert sorted(set(stages_seen)) == [1, 2, 3]
    assert stages_seen == sorted(stages_seen)
    totals = [(s.summary.total, s.summary.errored) for s in pipeline.stages() if s.summary]
    assert totals == [(7, 1), (6, 0), (6, 0)]
    assert [success.result["total"] for success in pipeline.results(PATIENCE).successes] == [
        1,
        3,
        5,
        7,
        9,
        11,
    ]
    assert pipeline.status() is OrchestrationStatus.ERRORED


def test_a_failure_stops_the_pipeline_and_a_rerun_takes_it_on(
    service: OrchestrationService, tmp_path: Any
) -> None:
    # given a stage that fails until a file is there
    mended = tmp_path / "mended"
    params = [{"until": str(mended)}, {"until": "/"}]
    orchestration = service.kick_off_job(
        "mendable", params, parallelism=1, then=Stage("total", params={"values": ["$index", 1]})
    )
    pipeline = orchestration.pipeline()
    assert [stage.skipped for stage in pipeline.wait(PATIENCE)][1] == "1 of 2 instances of stage 1 errored."
    # when the cause is mended, and the failures run again
    mended.touch()
    failures = orchestration.results(PATIENCE).failures
    assert failures is not None
    again = failures.rerun()
    # then the pipeline goes on with the results of both runs, merged in their order
    pipeline.wait(PATIENCE)
    assert [success.result["total"] for success in pipeline.results(PATIENCE).successes] == [1, 2]
    merged = service.get_job_results(again.id, merged=True, timeout=PATIENCE)
    assert (merged.failures, [success.result for success in merged.successes]) == (None, ["mended", "mended"])


@pytest.fixture
def rule_name(stack: LocalStack) -> Iterator[str]:
    """A rule as `start_after` makes it: a stage that follows every orchestration of one customer."""
    events, bus, name = boto3.client("events"), stack.settings.event_bus, "total-after-acme"
    stage = Stage("total", params={"values": ["$index", "$index"]})
    invocation = StartStage(orchestration_id="<id>", rule=name, stage=stage)
    pattern = JobCompletedEvent.pattern(job_name="fussy", outcome="Completed", tags={"customer": "by-rule"})
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))
    target = {
        "Id": "kick-off",
        "Arn": stack.settings.schedule_function,
        "InputTransformer": {
            "InputPathsMap": {"id": "$.detail.orchestration_id"},
            "InputTemplate": json.dumps(invocation.to_input()),
        },
    }
    events.put_targets(Rule=name, EventBusName=bus, Targets=[target])
    yield name
    events.remove_targets(Rule=name, EventBusName=bus, Ids=["kick-off"])
    events.delete_rule(Name=name, EventBusName=bus)


def test_a_rule_on_the_bus_starts_a_stage_after_an_orchestration_that_knows_nothing_of_it(
    service: OrchestrationService, rule_name: str
) -> None:
    first = service.kick_off_job("fussy", [{}, {}], tags={"customer": "by-rule"})
    second = ids.rule_stage_id(first.id, rule_name)
    until(lambda: any(summary.orchestration_id == second for summary in service.history(limit=20).summaries))
    successes, failures = service.get_job_results(second, timeout=PATIENCE)
    assert (failures, [success.result["total"] for success in successes]) == (None, [0, 2])
    assert service.orchestration(second).summary().parent_id == first.id


def test_a_pipeline_is_cancelled_as_one(service: OrchestrationService, tmp_path: Any) -> None:
    running = tmp_path / "running"
    params = [{"running": str(running), "until": str(tmp_path / "never")}]
    pipeline = service.kick_off_job("patient", params, then=Stage("total", params="results")).pipeline()
    until(running.exists)
    assert pipeline.cancel("wrong month") == "requested"
    first, second = pipeline.wait(PATIENCE)
    assert first.summary is not None
    assert (first.summary.errored, second.skipped) == (1, "The pipeline was cancelled.")
