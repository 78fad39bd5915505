"""The functions that follow the stream, as Lambda calls them."""

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from background_jobs.aws import clients
from background_jobs.aws.stores import Stores
from background_jobs.core.metrics import METRIC_SERVICE, Metric, metric_namespace
from background_jobs.settings import ExecutionSettings, Settings
from tests.adapters.test_stream import record, scan
from tests.memory import append_events
from tests.unit.histories import started

NOWHERE = "arn:aws:states:us-east-1:123456789012:stateMachine:nowhere"


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 1_000


def metrics_in(log: str) -> dict[str, Any]:
    """Return the metrics that CloudWatch takes from a log, by name."""
    lines = [json.loads(line) for line in log.splitlines() if line.startswith('{"_aws"')]
    return {
        metric["Name"]: line[metric["Name"]][0]
        for line in lines
        for measured in line["_aws"]["CloudWatchMetrics"]
        for metric in measured["Metrics"]
    }


@pytest.mark.parametrize("function", ["start_orchestration", "aggregate_jobs"])
def test_records_that_a_function_did_not_take_are_counted(
    function: str,
    stores: Stores,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # given a function whose work is refused by AWS
    execution = ExecutionSettings(state_machine_arn=NOWHERE, cluster_arn="nowhere")
    names = {
        "POWERTOOLS_METRICS_NAMESPACE": metric_namespace("unit"),
        "POWERTOOLS_SERVICE_NAME": METRIC_SERVICE,
    }
    for name, value in (settings.to_env() | execution.to_env() | names).items():
        monkeypatch.setenv(name, value)
    append_events(stores, started(3))
    records = [record(7, item) for item in scan(settings)]
    clients.dynamodb().delete_table(TableName=settings.read_model_table)
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    handler = importlib.import_module(f"lambdas.{function}.handler").handler

    # when Lambda gives it a batch
    answer = handler({"Records": records}, Context())

    # then it asks for the record again, which is no error to Lambda, and says so in a metric
    assert answer == {"batchItemFailures": [{"itemIdentifier": "7"}]}
    assert metrics_in(capsys.readouterr().out) == {Metric.RECORDS_FAILED: 1.0}
