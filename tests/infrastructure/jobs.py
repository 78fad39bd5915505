"""The jobs of the infrastructure's tests; the main of their containers."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from background_jobs import JobContext, job_name, run_e11_job


@job_name("double")
def double(params: dict[str, Any]) -> int:
    number: int = params["n"]
    if number < 0:
        raise ValueError(f"{number} is below zero")
    return 2 * number


@job_name("long_text")
def long_text(params: dict[str, Any]) -> str:
    """Return what is too long for an event."""
    return "x" * 100_000


@job_name("wait_for_the_end")
def wait_for_the_end(params: dict[str, Any], job: JobContext) -> None:
    """Say that it runs, and go on until it is stopped."""
    job.progress(1, "waiting")
    Path(params["running"]).touch()
    while True:
        time.sleep(1)


@job_name("wait")
def wait(params: dict[str, Any]) -> None:
    """Take some seconds."""
    time.sleep(params["seconds"])


@job_name("tamper")
def tamper(params: dict[str, Any]) -> dict[str, str]:
    """Try to do what containers may not, and return what AWS says of each try."""
    return refusals(params["orchestration_id"]) | _refusals_of_containers(params["orchestration_id"])


def refusals(orchestration_id: str) -> dict[str, str]:
    """Return what AWS says to a change of an event of `default`, and to whatever concerns another service."""
    log, model, bucket = _names()
    dynamodb, s3 = boto3.Session().client("dynamodb"), boto3.Session().client("s3")
    own = {"pk": {"S": f"default#{orchestration_id}"}, "sk": {"S": "orchestration#started"}}
    other = {"pk": {"S": f"reports#{orchestration_id}"}, "sk": {"S": "orchestration#started"}}
    instances = {"pk": {"S": f"{other['pk']['S']}#jobs#00000"}, "sk": {"S": "block#00000000-00000000#000000"}}
    payload = f"orchestrations/reports/{orchestration_id}/results/0.json"
    trials: dict[str, Callable[[], object]] = {
        "remove an event": lambda: dynamodb.delete_item(TableName=log, Key=own),
        "change an event": lambda: dynamodb.update_item(TableName=log, Key=own),
        "forge a result": lambda: dynamodb.put_item(TableName=log, Item=instances),
        "start a job": lambda: dynamodb.put_item(TableName=log, Item=other),
        "start a job beside one's own": lambda: dynamodb.transact_write_items(
            TransactItems=[{"Put": {"TableName": log, "Item": item}} for item in (own, other)]
        ),
        "read outcomes": lambda: dynamodb.query(
            TableName=log,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": instances["pk"]},
        ),
        "read a kick-off": lambda: dynamodb.get_item(TableName=log, Key=other),
        "read everything": lambda: dynamodb.scan(TableName=log),
        "read progress": lambda: dynamodb.get_item(TableName=model, Key=other),
        "make a schedule": lambda: dynamodb.put_item(TableName=log, Item=own | {"pk": {"S": "SCHEDULE#x"}}),
        "read a result": lambda: s3.get_object(Bucket=bucket, Key=payload),
        "replace a result": lambda: s3.put_object(Bucket=bucket, Key=payload, Body=b"1"),
        "list payloads": lambda: s3.list_objects_v2(Bucket=bucket),
    }
    return {what: _refusal(trial) for what, trial in trials.items()}


def _refusals_of_containers(orchestration_id: str) -> dict[str, str]:
    """Return what AWS says to what callers of the service may do."""
    log, model, _ = _names()
    dynamodb = boto3.Session().client("dynamodb")
    pointer = {"pk": {"S": "ORCHESTRATION#x"}, "sk": {"S": "service"}}
    own = {"pk": {"S": f"default#{orchestration_id}"}, "sk": {"S": "summary"}}
    return {
        "take an id": _refusal(lambda: dynamodb.put_item(TableName=log, Item=pointer)),
        "read the own progress": _refusal(lambda: dynamodb.get_item(TableName=model, Key=own)),
    }


def _names() -> tuple[str, str, str]:
    """Return the names of the event log, the read model and the bucket."""
    names = ("EVENT_LOG_TABLE", "READ_MODEL_TABLE", "PAYLOAD_BUCKET")
    log, model, bucket = (os.environ[f"BACKGROUND_JOBS_{name}"] for name in names)
    return log, model, bucket


@job_name("replace")
def replace(params: dict[str, Any]) -> None:
    """Put other contents in the place of an item of the own service, which IAM cannot forbid."""
    log, _, _ = _names()
    item = {"pk": {"S": params["pk"]}, "sk": {"S": params["sk"]}, "type": {"S": "Block"}}
    boto3.Session().client("dynamodb").put_item(TableName=log, Item=item)


@job_name("broken")
def broken(params: dict[str, Any]) -> None:
    """Never run: the main ends before it."""


def _refusal(call: Callable[[], object]) -> str:
    try:
        call()
    except ClientError as refused:
        return refused.response["Error"]["Code"]
    return "nothing"


if __name__ == "__main__":
    if os.environ.get("JOB_NAME") == "broken":
        sys.exit("broken")
    run_e11_job([double, long_text, wait_for_the_end, wait, tamper, replace, broken])
