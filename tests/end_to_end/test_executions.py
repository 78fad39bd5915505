"""The traces of an orchestration in AWS's own consoles: its execution, and the metrics of its functions."""

import json
from typing import Any

import boto3

from background_jobs import OrchestrationService
from background_jobs.core.ids import execution_name
from background_jobs.core.metrics import Metric
from tests.offline import until


def test_an_execution_succeeds_whatever_became_of_the_instances(service: OrchestrationService) -> None:
    orchestration = service.kick_off_job("fussy", [{}, {"bad": 1}], parallelism=2)
    states = boto3.client("stepfunctions")
    (machine,) = states.list_state_machines()["stateMachines"]
    executions = machine["stateMachineArn"].replace(":stateMachine:", ":execution:")
    arn = f"{executions}:{execution_name('default', orchestration.id)}"

    def read_final_status() -> str | None:
        status: str = states.describe_execution(executionArn=arn)["status"]
        return None if status == "RUNNING" else status

    until(lambda: orchestration.summary().done)
    assert until(read_final_status) == "SUCCEEDED"


def test_the_aggregator_measures_each_instance_once(service: OrchestrationService) -> None:
    params = [{"bad": n} if n % 10 == 0 else {} for n in range(1, 41)]
    orchestration = service.kick_off_job("fussy", params, parallelism=2)
    until(lambda: orchestration.summary().done)

    def read_metrics() -> dict[str, list[float]] | None:
        """Return the values of every metric, once the last of them is there."""
        by_name: dict[str, list[float]] = {}
        for line in _metric_lines("AggregateJobs"):
            if line["orchestration_id"] == orchestration.id:
                assert line["job_name"] == "fussy"
                for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
                    by_name.setdefault(metric["Name"], []).extend(line[metric["Name"]])
        return by_name if Metric.ORCHESTRATIONS_COMPLETED in by_name else None

    values = until(read_metrics)
    assert (sum(values[Metric.INSTANCES_COMPLETED]), sum(values[Metric.INSTANCES_ERRORED])) == (36, 4)
    assert len(values[Metric.INSTANCE_DURATION]) == 36
    assert len(values[Metric.QUEUE_WAIT]) == len(values[Metric.ORCHESTRATION_DURATION]) == 1
    assert all(value >= 0 for metric in values.values() for value in metric)


def _metric_lines(function: str) -> list[dict[str, Any]]:
    logs: Any = boto3.client("logs")
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    (name,) = [group for group in groups if function in group]
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=name)
    messages = [event["message"] for page in pages for event in page["events"]]
    return [json.loads(message) for message in messages if message.startswith('{"_aws"')]
